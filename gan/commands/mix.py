"""Style mixing of samples of a run."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from gan.commands.labels import as_text
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.runs.folder import check_run


@dataclass
class MixOptions:
    """Settings of ``ganymede mix``.

    Attributes:
        run: the run folder.
        rows: samples on the left, from which a cell takes its styles.
        columns: samples on top, from which a cell takes the styles of ``layers``.
        layers: first and last layer that are taken from the top, counted from 0 at 4 pixels; by
            default the finer half.
        sources: numbers of the samples on the left and then on top, as ``sample`` counts them; by
            default the first.
        seed: of the samples.
        labels: names or numbers of classes of a conditional model, one or one a source; by default
            those that ``sample`` takes.
        out: PNG to write; by default ``mixing.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    rows: int = 5
    columns: int = 7
    layers: list[int] | None = None
    sources: list[int] | None = None
    seed: int = 0
    labels: list[int | str] | None = None
    out: str | None = None
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def mix(options: MixOptions) -> None:
    """Write a grid in which samples on the left take some styles of the samples on top."""
    out = picture_path(options.run, options.out, "mixing.png")
    _check(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms import styles
    from gan.algorithms.latent import LatentGame
    from gan.pictures import picture, save_grid
    from gan.runs.checkpoints import load

    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    numbers = options.sources or list(range(options.rows + options.columns))
    left, top = numbers[: options.rows], numbers[options.rows :]
    grid = styles.mix(game, left, top, options.layers, options.seed, as_text(options.labels))
    save_grid(picture(grid.flatten(0, 1), options.columns + 1), out)
    print(out)


def _check(options: MixOptions) -> None:
    """Refuse numbers out of range."""
    if options.rows < 1 or options.columns < 1:
        raise InputError(f"rows={options.rows} and columns={options.columns} must be 1 or more")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
    count = options.rows + options.columns
    if options.sources is not None and (len(options.sources) != count or min(options.sources) < 0):
        raise InputError(
            f"sources={list(options.sources)}: give {count} numbers from 0: one each of "
            f"rows={options.rows}, then one each of columns={options.columns}"
        )
