"""Traversal of the codes of a run's prior."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from gan.commands.labels import as_text
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.runs.folder import check_run


@dataclass
class TraverseOptions:
    """Settings of ``ganymede traverse``.

    Attributes:
        run: the run folder.
        rows: of each code; each row has its own noise and its own other codes.
        columns: values of a continuous code; a categorical one takes all its categories.
        extent: continuous codes run from -extent to extent; training uses [-1, 1].
        seed: of the latents.
        labels: names or numbers of classes of a conditional model, one or one a row; by default the
            classes in turn.
        out: PNG to write; by default ``traversal.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    rows: int = 5
    columns: int = 10
    extent: float = 2.0
    seed: int = 0
    labels: list[int | str] | None = None
    out: str | None = None
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def traverse(options: TraverseOptions) -> None:
    """Write a grid in which each code of the prior (InfoGAN) takes all its values in turn."""
    out = picture_path(options.run, options.out, "traversal.png")
    _check(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms import traversal
    from gan.algorithms.latent import LatentGame
    from gan.pictures import picture, save_grid, stack_blocks
    from gan.runs.checkpoints import load

    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    rows, columns, labels = options.rows, options.columns, as_text(options.labels)
    blocks = traversal.traverse(game, rows, columns, options.extent, options.seed, labels)
    if blocks[0].shape[2:] == (2, 1, 1):
        raise InputError(f"run={options.run}: it draws points, which no grid shows")
    save_grid(picture(stack_blocks(blocks), max(block.shape[1] for block in blocks)), out)
    print(out)


def _check(options: TraverseOptions) -> None:
    """Refuse numbers out of range."""
    if options.rows < 1 or options.columns < 2:
        raise InputError(
            f"rows={options.rows} must be 1 or more, columns={options.columns} 2 or more"
        )
    if not 0 < options.extent < float("inf"):
        raise InputError(f"extent={options.extent}: give a number above 0")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
