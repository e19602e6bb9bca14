"""Time of each kind of update of a StyleGAN: D, D with R1, G, G with path lengths.

Two checkouts can be compared: each has a process of its own, and the processes take turns. The
output has medians and ranges of CPU seconds, ratios round by round of CPU and wall-clock seconds,
and the peak resident set. The line "step" weighs the updates by how often they come. One thread
gives the most stable results: OMP_NUM_THREADS=1. With ``profile=true``, the output is the CPU time
of each operator instead.

    python -m benchmarks.turns [against=DIR] [rounds=3] [profile=false] [OVERRIDE ...]

``against`` is the folder of the other checkout. Other arguments are those of train.py, for example
experiment=stylegan2_cifar10 augment=none batch_size=4.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch.profiler import ProfilerActivity, profile

import gan
from gan.algorithms.gan import GAN
from gan.algorithms.player import frozen
from gan.batch import LatentBatch
from gan.settings import resolvers, schema

CONF = Path(gan.__file__).parent.parent / "conf"
LAZY = {"D": "r1", "G": "path_length"}  # the regularizer of each player
Reply = dict[str, Any]


class Updates:
    """Updates of a game on random images.

    Args:
        overrides: arguments of train.py.

    Attributes:
        shares: updates of each kind in a mean step.
    """

    def __init__(self, overrides: list[str]) -> None:
        resolvers.register()
        schema.register()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("train", overrides)
        torch.manual_seed(0)
        game: GAN = instantiate(config.model, _convert_="all")
        self.game = game.to(memory_format=torch.channels_last)
        self.game.log_due = False
        self.optimizers = self.game.configure_optimizers()
        size, side = config.batch_size, config.data.resolution
        images = torch.rand(size, config.data.channels, side, side) * 2 - 1
        z, labels = torch.randn(size, game.generator.latent_dim), torch.arange(size) % 10
        self.batch = LatentBatch(images, labels, z, torch.rand(size))
        self.shares = {"D": 1.0, "G": 1.0}
        for name, regularizer in LAZY.items():
            if regularizer in game.regularizers:
                share = 1 / game.regularizers[regularizer].every
                self.shares |= {name: 1 - share, f"{name} {regularizer}": share}

    def run(self, kind: str) -> tuple[float, float]:
        """Run one update of a kind and return its seconds, of the CPU and on the wall."""
        cpu, wall = time.process_time(), time.perf_counter()
        game, (name, *lazy) = self.game, kind.split()
        player = game.players[name == "D"]
        game.active, game.clock.step = player, 0 if lazy else 1
        loss = game.discriminator_loss if name == "D" else game.generator_loss
        with frozen(player.opponent):
            torch.stack([*loss(self.batch).values()]).sum().backward()  # type: ignore[no-untyped-call]
        optimizer = self.optimizers[player.index]
        game.on_before_optimizer_step(optimizer)
        optimizer.step()
        optimizer.zero_grad()
        return time.process_time() - cpu, time.perf_counter() - wall

    def serve(self) -> None:
        """Run a round for each line of the standard input, and print its seconds as a line."""
        print(json.dumps(self.shares), flush=True)
        for _ in sys.stdin:
            seconds = {kind: self.run(kind) for kind in self.shares}
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps({"seconds": seconds, "peak": peak}), flush=True)

    def print_profile(self, rows: int = 16) -> None:
        """Print the operators that take most of the CPU time of each kind of update."""
        for kind in self.shares:
            self.run(kind)
            with profile(activities=[ProfilerActivity.CPU]) as profiled:
                self.run(kind)
            print(kind, profiled.key_averages().table("self_cpu_time_total", row_limit=rows))


class Worker:
    """A process that runs the updates of a checkout, a round at a time."""

    def __init__(self, checkout: Path, overrides: list[str]) -> None:
        # large pages, where train.py of the checkout asks for them
        asked = "THP_MEM_ALLOC_ENABLE" in (checkout / "gan" / "commands" / "train.py").read_text()
        pages = {"THP_MEM_ALLOC_ENABLE": "1"} if asked else {}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve=true", *overrides],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **pages, "PYTHONPATH": str(checkout)},
            text=True,
        )
        self.shares = self._reply()

    def _reply(self) -> Reply:
        """Return the next line of the process."""
        assert self.process.stdout is not None
        reply: Reply = json.loads(self.process.stdout.readline())
        return reply

    def round(self) -> Reply:
        """Run an update of each kind; return the seconds, those of a mean step, and the peak."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        reply = self._reply()
        seconds = reply["seconds"]
        reply["seconds"]["step"] = [
            sum(share * seconds[kind][clock] for kind, share in self.shares.items())
            for clock in (0, 1)
        ]
        return reply


def described(values: list[float]) -> str:
    """Return the median and the range of values."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def compare(checkouts: list[Path], rounds: int, overrides: list[str]) -> None:
    """Let the checkouts take turns; print the seconds of each, and the ratios to the first."""
    workers = [Worker(checkout, overrides) for checkout in checkouts]
    replies = [[worker.round() for worker in workers] for _ in range(rounds + 1)][1:]
    for kind in replies[0][0]["seconds"]:
        rows = [[reply["seconds"][kind] for reply in row] for row in replies]
        columns = [*zip(*rows, strict=True)]
        for checkout, column in zip(checkouts, columns, strict=True):
            print(f"{kind:15s} {described([cpu for cpu, _ in column])} CPU s   {checkout}")
        for name, clock in (("CPU", 0), ("wall", 1)) if len(columns) > 1 else ():
            ratios = [b[clock] / a[clock] for a, b in zip(*columns, strict=True)]
            print(f"{kind:15s} {described(ratios)} times as fast ({name})")
    peaks = zip(checkouts, replies[-1], strict=True)
    print("peak resident set", *(f"{reply['peak']:.0f} MB {where}" for where, reply in peaks))


def main(*arguments: str) -> None:
    """Run the benchmark."""
    own = {"against", "rounds", "profile", "serve"}
    options = dict(a.split("=", 1) for a in arguments if a.split("=")[0] in own)
    overrides = [a for a in arguments if a.split("=")[0] not in own]
    if "serve" in options:
        Updates(overrides).serve()
    elif options.get("profile") == "true":
        Updates(overrides).print_profile()
    else:
        others = [Path(options["against"])] if "against" in options else []
        compare([CONF.parent, *others], int(options.get("rounds", 3)), overrides)


if __name__ == "__main__":
    main(*sys.argv[1:])
