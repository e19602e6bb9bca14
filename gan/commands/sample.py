"""Sampling from a run."""

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from gan.commands.run import load
from gan.errors import InputError
from gan.pictures import picture, save_grid


@dataclass
class SampleOptions:
    """What ``python -m gan sample`` reads.

    Attributes:
        run: the run folder.
        n: images.
        seed: image k depends on it and k alone.
        labels: of a conditional model, one or ``n``; by default the classes in turn.
        out: PNG to write; by default ``samples.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        columns: of the grid.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    n: int = 64
    seed: int = 0
    labels: list[int] | None = None
    out: str | None = None
    checkpoint: str | None = None
    columns: int = 8
    allow_targets: list[str] = field(default_factory=list)


def sample(options: SampleOptions) -> None:
    """Write a grid of samples and print where it lies."""
    out = Path(options.out) if options.out else Path(options.run) / "samples.png"
    if out.suffix != ".png":
        raise InputError(f"out={out}: give a name that ends in .png")
    if options.columns < 1:
        raise InputError(f"columns={options.columns}: give a number from 1")
    game = load(options.run, options.checkpoint, options.allow_targets)
    labels = None if options.labels is None else list(options.labels)
    save_grid(picture(game.sample(options.n, options.seed, labels), options.columns), out)
    print(out)
