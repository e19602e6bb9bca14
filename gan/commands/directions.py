"""Semantic directions of W of a run (SeFa)."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from gan.commands.labels import as_text
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.runs.folder import check_run

_FRAMES = 4  # of the animation for each step of the picture


@dataclass
class DirectionsOptions:
    """Settings of ``ganymede directions``.

    Attributes:
        run: the run folder.
        count: directions, those that change styles most; a block of the picture each.
        extent: rows run from -extent to extent, in standard deviations of w along a direction.
        rows: samples of a block.
        columns: steps of a row.
        layers: first and last layer that count and move; by default all.
        seed: of the samples.
        labels: names or numbers of classes of a conditional model, one or one a row; by default the
            classes in turn.
        out: PNG to write; by default ``directions.png`` in the run folder.
        gif: also write the walk along the first direction as an animation, beside the picture.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    count: int = 5
    extent: float = 3.0
    rows: int = 3
    columns: int = 7
    layers: list[int] | None = None
    seed: int = 0
    labels: list[int | str] | None = None
    out: str | None = None
    gif: bool = True
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def directions(options: DirectionsOptions) -> None:
    """Write a grid of walks in W along the directions that the weights single out (SeFa)."""
    out = picture_path(options.run, options.out, "directions.png")
    _check(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms.directions import Walks
    from gan.algorithms.latent import LatentGame
    from gan.pictures import forth_and_back, picture, save_animation, save_grid, stack_blocks
    from gan.runs.checkpoints import load

    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    chosen = options.layers, options.seed, as_text(options.labels)
    walks = Walks(game, options.count, options.extent, options.rows, *chosen)
    blocks = [walks.images(number, options.columns) for number in range(options.count)]
    save_grid(picture(stack_blocks(blocks), options.columns), out)
    print(out)
    if options.gif:
        film = walks.images(0, _FRAMES * (options.columns - 1) + 1).transpose(0, 1)
        save_animation(forth_and_back(film), out.with_suffix(".gif"))
        print(out.with_suffix(".gif"))


def _check(options: DirectionsOptions) -> None:
    """Refuse numbers out of range."""
    if options.rows < 1 or options.columns < 2:
        raise InputError(
            f"rows={options.rows} must be 1 or more, columns={options.columns} 2 or more"
        )
    if not 0 < options.extent < float("inf"):
        raise InputError(f"extent={options.extent}: give a number above 0")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
