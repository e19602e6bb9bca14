"""How the time of a training step grows with batch, width, resolution and processes.

    python -m benchmarks.scaling [model=dcgan] [size=tiny] [steps=8] [out=scaling]

One of them changes at a time; the others stay at batches of 32 images of 32 pixels, the width of
the size and one process. A batch of several processes is shared between them. The folder ``out``
gets a JSON file with hardware and versions, ``scaling.md`` and ``scaling.png``. Times are medians
of the wall clock, on the CPU with one thread a process.
"""

import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib import pyplot

from benchmarks.exchange import StepTimer
from benchmarks.step import configured, images_of, made_game
from benchmarks.training import machine, trainer
from gan.algorithms.strategy import PlayerwiseDDP
from gan.errors import InputError

matplotlib.use("agg")
DEFAULTS = {"model": "dcgan", "size": "tiny", "steps": "8", "out": "scaling"}
BASE = {"batch": 32, "resolution": 32, "processes": 1}
AXES = {  # processes first: they are forked before PyTorch has threads of its own
    "processes": (1, 2),
    "batch": (8, 16, 32, 64, 128),
    "width": (16, 32, 64, 128),
    "resolution": (16, 32, 64),
}
SETTINGS = {
    "batch": "batch_size={}",
    "resolution": "data.resolution={}",
    "width": "model.generator.width={0} model.discriminator.width={0}",
    "processes": "",
}
_ABOVE: dict[str, Any] = {"textcoords": "offset points", "ha": "center"}


@dataclass(frozen=True)
class Point:
    """The time of a step at one value of what changes.

    Attributes:
        axis: what changes.
        value: of it.
        batch: images of an update, over all processes.
        seconds: median of a step.
    """

    axis: str
    value: int
    batch: int
    seconds: float

    @property
    def rate(self) -> float:
        """Return the images a second."""
        return self.batch / self.seconds


def median_step(overrides: list[str], processes: int, steps: int) -> tuple[int, float]:
    """Return the images of an update and the median seconds of a step."""
    with tempfile.TemporaryDirectory() as folder:
        config = configured(["accelerator=cpu", *overrides], folder)
        game, timer = made_game(config, torch.device("cpu")), StepTimer(Path(folder) / "median")
        images = images_of(config, game, steps + 4)
        images.batch //= processes
        several: dict[str, Any] = {"strategy": PlayerwiseDDP(start_method="fork")}
        trainer(timer, devices=processes, **(several if processes > 1 else {})).fit(game, images)
        return int(config.batch_size), float(timer.path.read_text())


def points(model: str, size: str, steps: int) -> Iterator[Point]:
    """Yield what is measured, one axis after the other."""
    for axis, values in AXES.items():
        for value in values:
            at = {**BASE, axis: value}
            given = " ".join(SETTINGS[name].format(at[name]) for name in at).split()
            overrides = [f"model={model}", f"size={size}", *given]
            try:
                batch, seconds = median_step(overrides, at["processes"], steps)
            except InputError as error:
                print(f"{axis}={value}: {error}", file=sys.stderr)
                continue
            yield Point(axis, value, batch, seconds)


def table(found: list[Point]) -> str:
    """Return a table of all points."""
    lines = ["| | | ms a step | images/s |", "|---|---|---|---|"]
    for point in found:
        time, rate = f"{1000 * point.seconds:.1f}", f"{point.rate:.0f}"
        lines.append(f"| {point.axis} | {point.value} | {time} | {rate} |")
    return "\n".join(lines) + "\n"


def write_plot(found: list[Point], path: Path) -> None:
    """Write a picture of the time of a step against each axis."""
    figure, panels = pyplot.subplots(1, len(AXES), figsize=(12, 3.2), layout="constrained")
    for panel, axis in zip(panels, AXES, strict=True):
        own = [point for point in found if point.axis == axis]
        panel.plot([p.value for p in own], [1000 * p.seconds for p in own], marker="o")
        panel.set(xlabel=axis, ylabel="ms a step", xscale="log", yscale="log")
        panel.set_xticks([p.value for p in own], [str(p.value) for p in own], minor=False)
        for point in own:
            text = f"{1000 * point.seconds:.0f}"
            panel.annotate(text, (point.value, 1000 * point.seconds), (0, 6), **_ABOVE)
        panel.set_yticks([])
        panel.minorticks_off()
        panel.margins(0.15)
    figure.savefig(path, dpi=120)


def main(*arguments: str) -> None:
    """Run the benchmark."""
    given = DEFAULTS | dict(argument.split("=", 1) for argument in arguments)
    if unknown := given.keys() - DEFAULTS.keys():
        sys.exit(f"benchmarks.scaling: {', '.join(unknown)}: it takes {', '.join(DEFAULTS)}")
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")  # advice of Lightning
    found = list(points(given["model"], given["size"], int(given["steps"])))
    out = Path(given["out"])
    out.mkdir(parents=True, exist_ok=True)
    content = {**machine(), **given, "points": [asdict(point) for point in found]}
    (out / "scaling.json").write_text(json.dumps(content, indent=1) + os.linesep)
    (out / "scaling.md").write_text(table(found))
    write_plot(found, out / "scaling.png")
    print(table(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
