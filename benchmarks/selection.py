"""The speed of training of several models: a table, a plot, and results as JSON.

    python -m benchmarks.selection [size=tiny] [accelerators=cpu] [batch=32] [minutes=10] [out=DIR]

Each model has a process of its own (see benchmarks/step.py). None starts after ``minutes``; what
was left out is named. ``accelerators`` may be several, such as gpu,gpu_amp,fast. The folder ``out``
(bench) gets a JSON file for each, with hardware and versions, ``speed.md`` and ``speed.png``. What
has a file already is not measured again.
"""

import json
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import matplotlib
from matplotlib import pyplot

from benchmarks.step import Speed, spread

matplotlib.use("agg")
MODELS = ("dcgan", "sngan", "biggan", "stylegan2", "r3gan", "stylegan", "wgan_gp", "reacgan")
DEFAULTS = {"size": "tiny", "accelerators": "cpu", "batch": "32", "minutes": "10", "out": "bench"}
HEADS = (
    *("model", "accelerator", "ms a step", "images/s", "over the bare loop"),
    *("GFLOP a step", "share of the matrix peak", "memory, MiB"),
)
Found = dict[tuple[str, str], Speed]


def loaded(path: Path) -> Speed:
    """Return a speed from its file."""
    return Speed(**json.loads(path.read_text()))


def measured(path: Path, overrides: list[str]) -> Speed | None:
    """Return the speed of training with overrides, from a file that it is written to, if any."""
    if not path.exists():
        command = [sys.executable, "-m", "benchmarks.step", "blocks=3", "steps=2", f"out={path}"]
        done = subprocess.run([*command, *overrides], capture_output=True)
        if done.returncode:
            print(f"{' '.join(overrides)}: {done.stderr.decode().strip().splitlines()[-1]}")
            return None
    return loaded(path)


def images_a_second(speed: Speed) -> float:
    """Return the real images a second that the discriminator is trained on."""
    return speed.batch * speed.n_critic / speed.seconds


def row(case: tuple[str, str], speed: Speed) -> str:
    """Return a line of the table."""
    cells = [
        *case,
        spread(speed.training, 1000),
        f"{images_a_second(speed):.0f}",
        spread(speed.ratios),
        f"{speed.flops / 1e9:.1f}",
        f"{speed.flops / speed.seconds / speed.peak:.0%}",
        f"{speed.memory:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def write_table(found: Found, path: Path) -> None:
    """Write a table of all speeds, with the hardware and the versions."""
    some = next(iter(found.values()))
    versions = ", ".join(f"{name} {version}" for name, version in some.versions.items())
    lines = [f"{some.hardware}, {versions}. Batches of {some.batch}. Medians and ranges.", ""]
    lines += [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    path.write_text("\n".join([*lines, *(row(*item) for item in found.items()), ""]))
    print(path.read_text())


def write_plot(found: Found, path: Path) -> None:
    """Write a picture of the images a second of each model and accelerator."""
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.4 * len(found)), layout="constrained")
    names = [" ".join(case) for case in found]
    bars = axes.barh(names, [images_a_second(speed) for speed in found.values()])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set(xlabel="images a second")
    axes.margins(x=0.1)
    axes.invert_yaxis()
    figure.savefig(path, dpi=120)


def main(*arguments: str) -> None:
    """Run the selection."""
    given = DEFAULTS | dict(argument.split("=", 1) for argument in arguments)
    if unknown := given.keys() - DEFAULTS.keys():
        sys.exit(f"benchmarks.selection: {', '.join(unknown)}: it takes {', '.join(DEFAULTS)}")
    out, end = Path(given["out"]), time.monotonic() + 60 * float(given["minutes"])
    out.mkdir(parents=True, exist_ok=True)
    found: Found = {}
    for case in product(MODELS, given["accelerators"].split(",")):
        path = out / f"{'-'.join(case)}-{given['size']}-{given['batch']}.json"
        if time.monotonic() > end and not path.exists():
            print(f"{' '.join(case)}: left out after {given['minutes']} minutes")
            continue
        overrides = [f"model={case[0]}", f"accelerator={case[1]}", f"size={given['size']}"]
        speed = measured(path, [*overrides, f"batch_size={given['batch']}"])
        if speed is not None:
            found[case] = speed
    if not found:
        sys.exit("benchmarks.selection: nothing was measured")
    write_table(found, out / "speed.md")
    write_plot(found, out / "speed.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
