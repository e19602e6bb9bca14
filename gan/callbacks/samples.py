"""Pictures of fixed latents or images during training."""

from functools import singledispatch
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.latent import LatentGame
from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.backbones.dataset import PairedDataset, held_out_split
from gan.callbacks.base import StepCallback
from gan.errors import InputError
from gan.pictures import alternate_rows, picture, same_shape, save_grid, stack_blocks


class Samples(StepCallback):
    """Write a grid of samples early, every ``every`` steps and at the end.

    Samples are images of fixed latents; for a conditional generator each column is a class. Of a
    game with an encoder, rows of held-out images follow, each above its reconstructions. A game on
    images shows held-out ones in rows: the sources, their translations, and the targets or what
    the translation back gives.

    Args:
        folder: of the files, such as ``step_00000500.png``.
        every: steps between two grids.
        rows: of the grid.
        columns: of the grid; a conditional generator has one a class, at most ``columns``.
        first: step of an early grid.
    """

    def __init__(
        self, folder: str, every: int = 500, rows: int = 8, columns: int = 10, first: int = 50
    ) -> None:
        given = {"every": every, "rows": rows, "columns": columns, "first": first}
        for name, value in given.items():
            if value < 1:
                raise InputError(f"callbacks.samples.{name}={value}: give a number from 1")
        self.folder, self.every, self.first = Path(folder), every, first
        self.rows, self.columns = rows, columns

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Write a grid if it is due."""
        step = game.clock.step
        due = step % self.every == 0 or step == self.first or last or trainer.should_stop
        if not (due and trainer.is_global_zero):
            return
        dataset = trainer.datamodule  # type: ignore[attr-defined]
        grid = draw(game, dataset, self.rows, self.columns)
        save_grid(grid, self.folder / f"step_{step:08d}.png")
        for logger in trainer.loggers:
            log_picture = getattr(logger, "log_picture", None)
            if log_picture is not None:
                log_picture("samples", grid, game.clock, caption(game, dataset, self.columns))


@singledispatch
def draw(game: TwoPlayerGame, dataset: Any, rows: int, columns: int) -> Tensor:
    """Return a picture (3, H, W) of what a game has learned."""
    raise TypeError(f"no picture of {type(game).__name__}")


@draw.register
def _(game: LatentGame, dataset: Any, rows: int, columns: int) -> Tensor:
    columns = min(game.generator.num_classes or columns, columns)
    return picture(game.sample(rows * columns, seed=game.seed), columns)


@draw.register
def _(game: EncodingGame, dataset: Any, rows: int, columns: int) -> Tensor:
    columns = min(game.generator.num_classes or columns, columns)
    samples = game.sample(rows * columns, seed=game.seed)
    if dataset is None:
        return picture(samples, columns)
    split = held_out_split(dataset)
    chosen = torch.arange(min(max(rows // 4, 1) * columns, len(dataset.split(split))))
    images, labels = dataset.batch(split, chosen)
    both = images.cpu(), game.reconstruct(images, labels if game.generator.num_classes else None)
    return picture(torch.cat([samples, alternate_rows(*both, columns)]), columns)


@draw.register
def _(game: TranslationGame, dataset: PairedDataset, rows: int, columns: int) -> Tensor:
    blocks = [
        block
        for direction in game.directions
        for block in _blocks(game, dataset, direction, max(rows // 3, 1), columns)
    ]
    images = stack_blocks(blocks)
    return picture(images, columns)


@singledispatch
def caption(game: TwoPlayerGame, dataset: Any, columns: int) -> str:
    """Return what a picture of :func:`draw` shows, in words."""
    raise TypeError(f"no picture of {type(game).__name__}")


@caption.register
def _(game: LatentGame, dataset: Any, columns: int) -> str:
    classes, names = game.generator.num_classes, getattr(dataset, "class_names", ())
    if not classes:
        return f"seed {game.seed}"
    if classes > columns:
        return f"seed {game.seed}, labels 0, 1, 2, ... in turn"
    return f"seed {game.seed}, labels by column: {', '.join(map(str, names or range(classes)))}"


@caption.register
def _(game: EncodingGame, dataset: Any, columns: int) -> str:
    samples = caption.dispatch(LatentGame)(game, dataset, columns)
    return samples if dataset is None else f"{samples}; held-out images above reconstructions"


@caption.register
def _(game: TranslationGame, dataset: PairedDataset, columns: int) -> str:
    ways = [" to ".join(direction.upper()) for direction in game.directions]
    return f"seed {game.seed}, held-out sources above their translations: {', '.join(ways)}"


def _blocks(
    game: TranslationGame, dataset: PairedDataset, direction: str, count: int, columns: int
) -> list[Tensor]:
    """Return blocks (rows, columns, C, H, W) of sources, outputs, and targets or cycles."""
    source, target = (dataset.domains[name] for name in direction)
    split = held_out_split(source)
    chosen = torch.arange(min(count * columns, len(source.split(split))))
    images = source.batch(split, chosen)[0].cpu()
    rows = [images, game.translate(images, direction)]
    if direction[::-1] in game.directions:
        rows.append(game.translate(rows[1], direction[::-1]))
    elif dataset.paired:
        rows.append(target.batch(split, chosen)[0].cpu())
    shown = torch.stack([same_shape(row, rows[1]) for row in rows])
    return list(torch.split(shown, columns, dim=1))
