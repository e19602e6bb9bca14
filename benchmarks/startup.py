"""Time from a command to its answer: the help, and the first step of training of several models.

    python -m benchmarks.startup [models=mlp,dcgan,stylegan2] [repeats=3] [size=tiny] [out=FILE]

Each measurement is a process of its own: what a user types. The time to the first step is split
into imports, composing (which checks the settings), building (networks, data, trainer) and the
first step, with what Lightning prepares before it. Shown are medians of CPU seconds, which other
processes change least, with the seconds of the wall clock behind them; ``out`` writes all of them
as JSON, with hardware and versions.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

PHASES = ("imports", "composing", "building", "first step")
DEFAULTS = {"models": "mlp,dcgan,stylegan2", "repeats": "3", "size": "tiny", "out": ""}
Times = dict[str, tuple[float, float]]  # CPU and wall-clock seconds by phase


class Marks:
    """The times of this process at the end of each phase.

    Args:
        started: when the process was started, by ``time.time()``.
    """

    def __init__(self, started: float) -> None:
        self.started, self.last = started, (0.0, 0.0)
        self.times: Times = {}

    def end(self, phase: str) -> None:
        """End a phase."""
        now = time.process_time(), time.time() - self.started
        self.times[phase] = now[0] - self.last[0], now[1] - self.last[1]
        self.last = now

    def at_call(self, owner: Any, name: str, phase: str) -> None:
        """Let a phase end when a function is called."""
        called: Callable[..., Any] = getattr(owner, name)

        @wraps(called)
        def marked(*given: Any, **named: Any) -> Any:
            self.end(phase)
            return called(*given, **named)

        setattr(owner, name, marked)


def trained(started: float, arguments: list[str]) -> Times:
    """Return the times of training for one step, in a process that did nothing before."""
    marks = Marks(started)
    import pytorch_lightning as pl

    from gan.algorithms.two_player import TwoPlayerGame
    from gan.commands import train
    from gan.runs import training

    marks.end("imports")
    marks.at_call(training, "train", "composing")
    marks.at_call(pl.Trainer, "fit", "building")
    marks.at_call(TwoPlayerGame, "on_train_batch_end", "first step")
    train.main([*arguments, "steps=1", "metrics=[]"])
    return marks.times


def helped(command: list[str]) -> Times:
    """Return the time of a command that answers."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after, wall = os.times(), time.perf_counter() - started
    cpu = after.children_user - before.children_user
    return {"total": (cpu + after.children_system - before.children_system, wall)}


def started(model: str, size: str) -> Times:
    """Return the times of a new process that trains a model for one step."""
    with tempfile.TemporaryDirectory() as folder:
        given = [f"model={model}", f"size={size}", "data=digits", "accelerator=cpu"]
        given += [f"hydra.run.dir={folder}/run", f"cache_dir={folder}/cache"]
        command = [sys.executable, "-m", "benchmarks.startup", "train", str(time.time()), *given]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    phases: Times = json.loads(done.stdout.splitlines()[-1])
    total = [sum(times[k] for times in phases.values()) for k in (0, 1)]
    return {**phases, "total": (total[0], total[1])}


def cell(times: list[Times], phase: str) -> str:
    """Return the median of the CPU seconds of a phase, and of the wall-clock seconds."""
    if phase not in times[0]:
        return ""
    cpu, wall = (statistics.median(found[phase][k] for found in times) for k in (0, 1))
    return f"{cpu:.2f} ({wall:.2f})"


def table(found: dict[str, list[Times]]) -> str:
    """Return a table of all commands."""
    heads = ("command", *PHASES, "total")
    rows = [[name, *(cell(times, p) for p in heads[1:])] for name, times in found.items()]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(*arguments: str) -> None:
    """Run the benchmark."""
    given = DEFAULTS | dict(argument.split("=", 1) for argument in arguments)
    if unknown := given.keys() - DEFAULTS.keys():
        sys.exit(f"benchmarks.startup: {', '.join(unknown)}: it takes {', '.join(DEFAULTS)}")
    repeats = range(int(given["repeats"]))
    ganymede = [sys.executable, "-m", "gan"]
    found = {
        "ganymede --help": [helped([*ganymede, "--help"]) for _ in repeats],
        "ganymede train --help": [helped([*ganymede, "train", "--help"]) for _ in repeats],
    }
    for model in given["models"].split(","):
        found[f"model={model}"] = [started(model, given["size"]) for _ in repeats]
    print(table(found))
    if given["out"]:
        from benchmarks.training import machine

        content = {**machine(), "times": found}
        Path(given["out"]).write_text(json.dumps(content, indent=1) + os.linesep)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        print(json.dumps(trained(float(sys.argv[2]), sys.argv[3:])))
    else:
        main(*sys.argv[1:])
