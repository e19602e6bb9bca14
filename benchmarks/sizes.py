"""Parameters, speed and memory of every model at a size, at 32 pixels and batches of 32.

Games on images train on batches of their recipe.

Each model trains on random colour images in a process of its own, with the recipe of its yaml,
``n_critic`` included. A step is one generator update. Times are those of the fastest block of
steps, as other processes slow down the others. A block has 16 steps, so that it holds each lazy
regularizer. Memory is the largest resident set of the process, of which PyTorch itself takes about
400 MB.

    OMP_NUM_THREADS=2 python -m benchmarks.sizes [size=tiny] [blocks=3] [models=dcgan,sngan]
"""

import resource
import subprocess
import sys
import time
from itertools import pairwise

import pytorch_lightning as pl
import torch
from torch import nn

from benchmarks.training import BATCH, RESOLUTION, Images, trainer
from gan.algorithms.srgan import SRGAN
from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.commands.models import ModelConfig
from gan.settings.groups import options

STEPS = 16  # of a block
HEAD = ("model", "G", "D", "steps a second", "CPU ms a step", "peak memory (MB)")


class Timer(StepCallback):
    """Measure the wall-clock and CPU seconds of each block."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Take the time at the end of a block."""
        if game.clock.step % STEPS == 0:
            self.times.append((time.perf_counter(), time.process_time()))

    def fastest(self) -> tuple[float, float]:
        """Return the seconds of the fastest block; the one before the first time is a warm-up."""
        return min((b[0] - a[0], b[1] - a[1]) for a, b in pairwise(self.times))


def count(network: nn.Module) -> str:
    """Return the number of a network's parameters."""
    return f"{sum(weight.numel() for weight in network.parameters()):,}"


def measure(model: str, size: str, blocks: int) -> list[str]:
    """Return the row of a model; its process must have trained nothing else."""
    given = [f"size={size}", f"batch_size={BATCH}", f"data.resolution={RESOLUTION}"]
    given += ["progressive=false", "run_dir=none"]
    game, timer = ModelConfig(model, "cifar10", *given).game(), Timer()
    images = Images((1 + blocks) * STEPS, game.n_critic)
    if isinstance(game, TranslationGame):
        recipe = ModelConfig(model, "cifar10", f"size={size}").config
        images = Images((1 + blocks) * STEPS, game.n_critic, recipe.batch_size, game.scale)
    if isinstance(game, SRGAN):
        game.perceptual = None  # which the data set trains
    trainer(timer).fit(game.to(memory_format=torch.channels_last), images)
    sizes = [count(network) if network else "0" for network in (game.generator, game.discriminator)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = timer.fastest()
    times = f"{STEPS / wall:.1f}", f"{cpu / STEPS * 1000:.0f}"
    return [model, *sizes, *times, f"{memory:.0f}"]


def main(size: str = "tiny", blocks: str = "3", models: str = "") -> None:
    """Print the table, each row from a process of its own."""
    print(*HEAD, sep=" | ")
    for model in models.split(",") if models else options("model"):
        command = [sys.executable, "-m", "benchmarks.sizes", "row", model, size, blocks]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout.splitlines()[-1] if done.returncode == 0 else f"{model}: {done.stderr}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["row"]:
        model, size, blocks = sys.argv[2:]
        print(*measure(model, size, int(blocks)), sep=" | ")
    else:
        main(**dict(pair.split("=", 1) for pair in sys.argv[1:]))
