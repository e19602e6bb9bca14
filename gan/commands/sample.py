"""Sampling from a run."""

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from gan.algorithms.sampling import Langevin, Sampling
from gan.errors import InputError
from gan.pictures import picture, save_grid
from gan.runs.folder import load


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
        truncation: bound on each number of a latent: fewer kinds of images, better ones.
        standing: batches over which the statistics of batch normalisation are taken anew.
        psi: how far styles may lie from their mean: 0.7 gives fewer kinds of images, better ones.
        langevin: steps of each latent towards what the discriminator finds likelier.
        langevin_step: their size.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    n: int = 64
    seed: int = 0
    labels: list[int] | None = None
    out: str | None = None
    checkpoint: str | None = None
    columns: int = 8
    truncation: float | None = None
    standing: int = 0
    psi: float | None = None
    langevin: int = 0
    langevin_step: float = 0.01
    allow_targets: list[str] = field(default_factory=list)


def sample(options: SampleOptions) -> None:
    """Write a grid of samples and print where it lies."""
    out = Path(options.out) if options.out else Path(options.run) / "samples.png"
    if out.suffix != ".png":
        raise InputError(f"out={out}: give a name that ends in .png")
    if options.columns < 1:
        raise InputError(f"columns={options.columns}: give a number from 1")
    sampling = Sampling(options.truncation, options.standing, options.psi)
    langevin = _langevin(options)
    game = sampling.apply(load(options.run, options.checkpoint, options.allow_targets))
    labels = None if options.labels is None else list(options.labels)
    z, y = game.latents(options.n, options.seed), game.labels_for(options.n, labels)
    if langevin is not None:
        z = langevin(game, z, y, options.seed)
    save_grid(picture(game.decode(z, y, options.seed), options.columns), out)
    print(out)


def _langevin(options: SampleOptions) -> Langevin | None:
    """Return the chain that was asked for, if one was."""
    if options.langevin == 0:
        return None
    if options.truncation is not None:
        raise InputError("langevin: its chains leave what truncation cuts out: give one of the two")
    return Langevin(options.langevin, options.langevin_step)
