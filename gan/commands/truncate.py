"""The truncation trick in W on samples of a run."""

from dataclasses import dataclass, field
from math import isfinite

from omegaconf import MISSING

from gan.commands.labels import as_text
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.runs.folder import check_run


@dataclass
class TruncateOptions:
    """Settings of ``ganymede truncate``.

    Attributes:
        run: the run folder.
        psis: one a column: 0 is the mean of w, 1 the sample, below 0 its opposite.
        rows: samples.
        seed: of the samples.
        labels: names or numbers of classes of a conditional model, one or one a row; by default the
            classes in turn.
        out: PNG to write; by default ``truncation.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    psis: list[float] = field(default_factory=lambda: [0.0, 0.25, 0.5, 0.75, 1.0])
    rows: int = 6
    seed: int = 0
    labels: list[int | str] | None = None
    out: str | None = None
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def truncate(options: TruncateOptions) -> None:
    """Write a grid of samples whose styles are truncated towards the mean of w by degrees."""
    out = picture_path(options.run, options.out, "truncation.png")
    _check(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms import styles
    from gan.algorithms.latent import LatentGame
    from gan.pictures import picture, save_grid
    from gan.runs.checkpoints import load

    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    grid = styles.truncate(game, options.psis, options.rows, options.seed, as_text(options.labels))
    save_grid(picture(grid.flatten(0, 1), len(options.psis)), out)
    print(out)


def _check(options: TruncateOptions) -> None:
    """Refuse numbers out of range."""
    if options.rows < 1 or options.seed < 0:
        raise InputError(f"rows={options.rows} must be 1 or more, seed={options.seed} 0 or more")
    if not options.psis or not all(map(isfinite, options.psis)):
        raise InputError(f"psis={list(options.psis)}: give one number or more, such as [0,0.5,1]")
