"""The truncation trick in W, from the mean image to the samples."""

from dataclasses import dataclass, field
from math import isfinite

import torch
from omegaconf import MISSING
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.commands.styles import Styles, destination
from gan.errors import InputError
from gan.pictures import picture, save_grid
from gan.runs.folder import load


@dataclass
class TruncateOptions:
    """What ``python -m gan truncate`` reads.

    Attributes:
        run: the run folder.
        psis: one a column: 0 is the mean of w, 1 the sample, below 0 its opposite.
        rows: samples.
        seed: of the samples.
        labels: of a conditional model, one or one a row; by default the classes in turn.
        out: PNG to write; by default ``truncation.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    psis: list[float] = field(default_factory=lambda: [0.0, 0.25, 0.5, 0.75, 1.0])
    rows: int = 6
    seed: int = 0
    labels: list[int] | None = None
    out: str | None = None
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def truncate(options: TruncateOptions) -> None:
    """Write a grid of samples drawn towards the mean of w by degrees, and print where it lies."""
    out = destination(options.run, options.out, "truncation.png")
    _check(options)
    game = load(options.run, options.checkpoint, options.allow_targets)
    save_grid(picture(truncation(game, options).flatten(0, 1), len(options.psis)), out)
    print(out)


def truncation(game: LatentGame, options: TruncateOptions) -> Tensor:
    """Return images (rows, psis, C, H, W) in [-1, 1] of w' = mean + psi (w - mean).

    Source: Karras et al., 2019, section 2.2 and fig. 8; the mean is that of training, over all
    labels.

    Raises:
        InputError: if there are no styles, or on labels that the model does not know.
    """
    styles = Styles(game, options.run)
    w = styles.sampled(options.seed, options.rows, options.labels)
    psi = torch.tensor(options.psis).to(w)[:, None, None]
    return styles.images(torch.lerp(styles.generator.w_mean.to(w), w[:, None], psi))


def _check(options: TruncateOptions) -> None:
    """Refuse what no picture can be made of."""
    if options.rows < 1 or options.seed < 0:
        raise InputError(f"rows={options.rows} must be 1 or more, seed={options.seed} 0 or more")
    if not options.psis or not all(map(isfinite, options.psis)):
        raise InputError(f"psis={list(options.psis)}: give one number or more, such as [0,0.5,1]")
