"""Style mixing: some layers of an image hear the styles of another."""

from dataclasses import dataclass, field

import torch
from omegaconf import MISSING
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.commands.styles import Styles, destination, layer_range
from gan.errors import InputError
from gan.pictures import picture, save_grid
from gan.runs.folder import load


@dataclass
class MixOptions:
    """What ``python -m gan mix`` reads.

    Attributes:
        run: the run folder.
        rows: samples on the left, from which a cell takes its styles.
        columns: samples on top, from which a cell takes those of ``layers`` instead.
        layers: first and last layer of these, counted from 0 at 4 pixels; by default the finer
            half of them all.
        sources: which samples of the seed, those on the left and then those on top, as ``sample``
            numbers them; by default the first.
        seed: of the samples.
        labels: of a conditional model, one or one a source; by default those that ``sample`` takes.
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
    labels: list[int] | None = None
    out: str | None = None
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def mix(options: MixOptions) -> None:
    """Write a grid in which the samples on top lend styles to those on the left, print its path."""
    out = destination(options.run, options.out, "mixing.png")
    _check(options)
    game = load(options.run, options.checkpoint, options.allow_targets)
    save_grid(picture(mixing(game, options).flatten(0, 1), options.columns + 1), out)
    print(out)


def mixing(game: LatentGame, options: MixOptions) -> Tensor:
    """Return images (1 + rows, 1 + columns, C, H, W) in [-1, 1], the first one white.

    Source: Karras et al., 2019, fig. 3.

    Raises:
        InputError: if there are no styles, or no such layers or labels.
    """
    styles = Styles(game, options.run)
    layers = layer_range(options.layers, styles.generator.layers, styles.generator.layers // 2)
    left, top = torch.split(_sources(styles, options), [options.rows, options.columns])
    cells = left[:, None].repeat(1, options.columns, 1, 1)
    cells[:, :, layers] = top[:, layers]
    edge, side, inner = (styles.images(part) for part in (top[None], left[:, None], cells))
    corner = torch.ones_like(edge[:, :1])
    return torch.cat([torch.cat([corner, edge], 1), torch.cat([side, inner], 1)])


def _sources(styles: Styles, options: MixOptions) -> Tensor:
    """Return the styles (rows + columns, layers, style_dim) of the samples on left and top."""
    game, count = styles.game, options.rows + options.columns
    numbers = options.sources or range(count)
    z = torch.cat([game.prior.sample_each(options.seed, range(k, k + 1)) for k in numbers])
    labels = options.labels
    if labels is None and game.generator.num_classes:
        labels = [k % game.generator.num_classes for k in numbers]
    return styles.of(z, game.labels_for(count, labels))


def _check(options: MixOptions) -> None:
    """Refuse what no picture can be made of."""
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
