"""Parameters, speed and memory of every model at a size, at 32 pixels and batches of 32.

Each model trains on random colour images in a process of its own, with the recipe of its yaml,
``n_critic`` included. A step is one generator update. Wall-clock and CPU time are means over the
steps after a warm-up. Memory is the largest resident set of the process, of which PyTorch itself
takes about 400 MB.

    OMP_NUM_THREADS=2 python -m benchmarks.sizes [size=tiny] [steps=16] [models=dcgan,sngan]
"""

import resource
import subprocess
import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.commands.models import ModelConfig
from gan.settings.groups import options

RESOLUTION, BATCH = 32, 32
WARMUP = 4  # steps
HEAD = ("model", "G", "D", "steps a second", "CPU ms a step", "peak memory (MB)")


class Timer(StepCallback):
    """Measure the seconds from the end of the warm-up to the end of training."""

    def __init__(self) -> None:
        self.wall, self.cpu = 0.0, 0.0

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Start the clocks after the last step of the warm-up, stop them after the last step."""
        if last or game.clock.step == WARMUP:
            self.wall = time.perf_counter() - self.wall
            self.cpu = time.process_time() - self.cpu


class Images:
    """Steps of batches of random images with labels."""

    def __init__(self, steps: int, n_critic: int) -> None:
        self.steps, self.n_critic = steps, n_critic

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Any:
        images, labels = torch.rand(BATCH, 3, RESOLUTION, RESOLUTION) * 2 - 1, torch.arange(BATCH)
        for _ in range(self.steps):
            yield [(images, labels % 10)] * self.n_critic


def count(network: nn.Module) -> str:
    """Return the number of a network's parameters."""
    return f"{sum(weight.numel() for weight in network.parameters()):,}"


def measure(model: str, size: str, steps: int) -> list[str]:
    """Return the row of a model; its process must have trained nothing else."""
    given = [f"size={size}", f"batch_size={BATCH}", f"data.resolution={RESOLUTION}"]
    given += ["progressive=false", "run_dir=none"]
    config = ModelConfig(model, "cifar10", *given)
    game, timer = config.game().to(memory_format=torch.channels_last), Timer()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[timer],
        logger=False,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(game, Images(WARMUP + steps, game.n_critic))
    sizes = [count(network) for network in (game.generator, game.discriminator)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = f"{steps / timer.wall:.1f}", f"{timer.cpu / steps * 1000:.0f}"
    return [model, *sizes, *times, f"{memory:.0f}"]


def main(size: str = "tiny", steps: str = "16", models: str = "") -> None:
    """Print the table, each row from a process of its own."""
    print(*HEAD, sep=" | ")
    for model in models.split(",") if models else options("model"):
        command = [sys.executable, "-m", "benchmarks.sizes", "row", model, size, steps]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout.splitlines()[-1] if done.returncode == 0 else f"{model}: {done.stderr}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["row"]:
        model, size, steps = sys.argv[2:]
        print(*measure(model, size, int(steps)), sep=" | ")
    else:
        main(**dict(pair.split("=", 1) for pair in sys.argv[1:]))
