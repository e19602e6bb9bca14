"""What each code of a run's prior does to its images."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from omegaconf import MISSING
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.errors import InputError
from gan.latents import Codes
from gan.pictures import picture, save_grid
from gan.runs.folder import load

_WHITE = 1.0


@dataclass
class TraverseOptions:
    """What ``python -m gan traverse`` reads.

    Attributes:
        run: the run folder.
        rows: of each code's block; each has its own noise and its own other codes.
        columns: values of a continuous code; a categorical one shows all its categories.
        extent: continuous codes run from -extent to extent; 1 is as far as training went.
        seed: of the latents.
        labels: of a conditional model, one or one a row; by default the classes in turn.
        out: PNG to write; by default ``traversal.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    rows: int = 5
    columns: int = 10
    extent: float = 2.0
    seed: int = 0
    labels: list[int] | None = None
    out: str | None = None
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def traverse(options: TraverseOptions) -> None:
    """Write a grid in which each code in turn takes all its values, and print where it lies."""
    out = Path(options.out) if options.out else Path(options.run) / "traversal.png"
    _check(options, out)
    game = load(options.run, options.checkpoint, options.allow_targets)
    found = blocks(game, options)
    if found[0].shape[2:] == (2, 1, 1):
        raise InputError(f"run={options.run}: it draws points, which no grid shows")
    save_grid(picture(stacked(found), max(block.shape[1] for block in found)), out)
    print(out)


def blocks(game: LatentGame, options: TraverseOptions) -> list[Tensor]:
    """Return images (rows, values, C, H, W) in [-1, 1] for each code in turn.

    Source: Chen et al., 2016, InfoGAN, fig. 2.

    Raises:
        InputError: if the prior has no codes, or on labels that the model does not know.
    """
    if not isinstance(game.prior, Codes):
        raise InputError(
            f"run={options.run}: its {type(game.prior).__name__} prior has no codes to traverse: "
            "name a run with prior=codes, such as one of model=infogan"
        )
    z = game.prior.sample_each(options.seed, range(options.rows))
    labels = game.labels_for(options.rows, options.labels)
    values = torch.linspace(-options.extent, options.extent, options.columns)
    found = []
    for latents in game.prior.traverse(z, values):
        columns = latents.shape[1]
        y = None if labels is None else labels.repeat_interleave(columns)
        images = game.decode(latents.flatten(0, 1), y)
        found.append(images.view(options.rows, columns, *images.shape[1:]))
    return found


def stacked(found: list[Tensor]) -> Tensor:
    """Return blocks (rows, values, C, H, W) as images (B, C, H, W) of one grid.

    Short rows are filled up with white, and a white row stands between two blocks.
    """
    columns = max(block.shape[1] for block in found)
    rows = []
    for block in found:
        paper = block.new_full((len(block) + 1, columns, *block.shape[2:]), _WHITE)
        paper[:-1, : block.shape[1]] = block
        rows.append(paper)
    return torch.cat(rows)[:-1].flatten(0, 1)


def _check(options: TraverseOptions, out: Path) -> None:
    """Refuse what no picture can be made of."""
    if out.suffix != ".png":
        raise InputError(f"out={out}: give a name that ends in .png")
    if options.rows < 1 or options.columns < 2:
        raise InputError(
            f"rows={options.rows} must be 1 or more, columns={options.columns} 2 or more"
        )
    if not 0 < options.extent < float("inf"):
        raise InputError(f"extent={options.extent}: give a number above 0")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
