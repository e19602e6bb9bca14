"""Time of a DCGAN step in Ganymede over a bare PyTorch loop with the same players.

Both train the same networks with the same loss, optimizers, average and data, in one process, turn
about in blocks of steps; Ganymede with logging, progress bar and CSV on. Prints each block's
CPU seconds a step (what other processes take does not count), the medians and their ratio. One
thread gives the steadiest figures: OMP_NUM_THREADS=1. With width=1 resolution=8 the networks cost
next to nothing and the difference is the overhead itself, in milliseconds a step.

    python benchmarks/step_overhead.py [blocks=9] [steps=10] [resolution=32] [channels=3] [width=64]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.functional import softplus

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.doctor import Doctor
from gan.callbacks.progress import Progress
from gan.callbacks.telemetry import Telemetry
from gan.commands import resolvers, schema
from gan.loggers.table import Table

CONF = Path(__file__).parent.parent / "conf"
BATCH = 64


def bare_loop(game: GAN, data: Tensor) -> Iterator[None]:
    """Train the players of ``game`` by hand, one step an iteration."""
    g, d, average = game.generator, game.discriminator, game.averaged
    adam_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    adam_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    while True:
        chosen = data[torch.randint(len(data), (BATCH,))]
        real = chosen.float().div_(127.5).sub_(1)
        with torch.no_grad():
            fake = g(torch.randn(BATCH, g.latent_dim))
        torch.autograd.backward(softplus(-d(real)).mean() + softplus(d(fake)).mean())
        adam_d.step()
        adam_d.zero_grad()
        d.requires_grad_(False)
        torch.autograd.backward(softplus(-d(g(torch.randn(BATCH, g.latent_dim)))).mean())
        d.requires_grad_(True)
        adam_g.step()
        adam_g.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(g.parameters()), 0.01)
            for old, new in zip(average.buffers(), g.buffers(), strict=True):
                old.copy_(new)
        yield


class TurnAbout(StepCallback):
    """After each block of Ganymede's steps, time a block of the bare loop's."""

    def __init__(self, loop: Iterator[None], steps: int) -> None:
        self.loop, self.steps = loop, steps
        self.ours: list[float] = []
        self.bare: list[float] = []
        self.started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.process_time()

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        if game.clock.step % self.steps:
            return
        ended = time.process_time()
        self.ours.append((ended - self.started) / self.steps)
        for _ in range(self.steps):
            next(self.loop)
        self.bare.append((time.process_time() - ended) / self.steps)
        self.started = time.process_time()


class Batches:
    """The data module's way of cutting batches, on random images."""

    def __init__(self, data: Tensor, steps: int) -> None:
        self.data, self.steps = data, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[Tensor, None]]]:
        for _ in range(self.steps):
            chosen = self.data[torch.randint(len(self.data), (BATCH,))]
            yield [(chosen.float().div_(127.5).sub_(1), None)]


def game(config: DictConfig) -> GAN:
    """Return freshly drawn players, in the memory format of training."""
    torch.manual_seed(0)
    made: GAN = instantiate(config.model, _convert_="all")
    return made.to(memory_format=torch.channels_last)


def main(
    blocks: int = 9, steps: int = 10, resolution: int = 32, channels: int = 3, width: int = 64
) -> None:
    resolvers.register()
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"), tempfile.TemporaryDirectory() as run:
        overrides = [f"data.channels={channels}", f"data.resolution={resolution}", f"run_dir={run}"]
        overrides += [f"+model.{player}.width={width}" for player in ("generator", "discriminator")]
        config = compose("train", overrides)
        data = torch.randint(256, (2048, channels, resolution, resolution), dtype=torch.uint8)
        about = TurnAbout(bare_loop(game(config), data), steps)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=1,
            callbacks=[Telemetry(), Doctor(run), Progress(), about],
            logger=[Table(Path(run) / "metrics.csv")],
            log_every_n_steps=1,
            limit_val_batches=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(game(config), Batches(data, (blocks + 1) * steps))
    report(about)


def report(about: TurnAbout) -> None:
    """Print the blocks but the first, which warms up, and the ratio."""
    ours, bare = about.ours[1:], about.bare[1:]
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    for name, seconds in (("ganymede", ours), ("bare loop", bare)):
        print(f"{name:10s} median {statistics.median(seconds) * 1000:7.1f} ms a step", end="   ")
        print(" ".join(f"{s * 1000:.1f}" for s in seconds))
    print(f"ratio of medians {statistics.median(ours) / statistics.median(bare):.3f}", end="   ")
    print(f"median of ratios {statistics.median(ratios):.3f}", end="   ")
    print(f"({min(ratios):.3f} to {max(ratios):.3f}), {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main(**{key: int(value) for key, value in (pair.split("=") for pair in sys.argv[1:])})
