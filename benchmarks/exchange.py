"""Time of a training step in two processes: Ganymede's strategy and DistributedDataParallel.

Both train the same DCGAN on random images in two processes (gloo, CPU), in alternating rounds.
Ganymede averages the gradients of one player per update. DistributedDataParallel needs
find_unused_parameters for two players. The output has the median wall-clock milliseconds per
step of each round, and the ratio.

    OMP_NUM_THREADS=1 python -m benchmarks.exchange [rounds=5] [steps=20] [width=64] [n_critic=1]
"""

import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy

from benchmarks.training import RESOLUTION, Images, trainer
from gan import processes
from gan.algorithms.gan import GAN
from gan.algorithms.strategy import PlayerwiseDDP
from gan.conditioning.base import Unconditional
from gan.latents import Gaussian
from gan.losses.logistic import NonSaturating
from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator


class StepTimer(pl.Callback):
    """Write the median time of a step to a file, without the first steps."""

    def __init__(self, path: Path) -> None:
        self.path, self.times = path, [0.0]

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        self.times.append(time.perf_counter())

    def on_train_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        steps = [b - a for a, b in zip(self.times[3:], self.times[4:], strict=False)]
        if trainer.is_global_zero:
            self.path.write_text(str(statistics.median(steps)))


def game(width: int, n_critic: int) -> GAN:
    """Return a DCGAN."""
    adam = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999), fused=True)
    return GAN(
        DCGANGenerator(64, 3, RESOLUTION, Unconditional(), width=width),
        DCGANDiscriminator(3, RESOLUTION, Unconditional(), width=width),
        NonSaturating(),
        prior=Gaussian(64),
        optimizer={"generator": adam, "discriminator": adam},
        n_critic=n_critic,
    )


def median_step(strategy: DDPStrategy, steps: int, width: int, n_critic: int) -> float:
    """Return the median seconds of a step with ``strategy``."""
    with tempfile.NamedTemporaryFile() as file:
        timer = StepTimer(Path(file.name))
        trainer(timer, devices=2, strategy=strategy).fit(
            game(width, n_critic), Images(steps + 4, n_critic)
        )
        return float(Path(file.name).read_text())


def main(rounds: int = 5, steps: int = 20, width: int = 64, n_critic: int = 1) -> None:
    """Run the benchmark."""
    average = processes.average
    playerwise: list[float] = []
    ddp: list[float] = []
    for _ in range(rounds):
        playerwise.append(median_step(PlayerwiseDDP(start_method="fork"), steps, width, n_critic))
        processes.average = lambda tensors: None  # done by DistributedDataParallel
        whole = DDPStrategy(start_method="fork", find_unused_parameters=True)
        ddp.append(median_step(whole, steps, width, n_critic))
        processes.average = average
    for name, times in (("PlayerwiseDDP", playerwise), ("DDP, find_unused", ddp)):
        print(f"{name:18s} median {statistics.median(times) * 1000:7.1f} ms a step", end="   ")
        print(" ".join(f"{t * 1000:.1f}" for t in times))
    print(f"ratio of medians {statistics.median(playerwise) / statistics.median(ddp):.3f}")


if __name__ == "__main__":
    main(**{key: int(value) for key, value in (pair.split("=") for pair in sys.argv[1:])})
