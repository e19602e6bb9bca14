"""Pictures of fixed latents during training."""

from pathlib import Path

import pytorch_lightning as pl

from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.errors import InputError
from gan.pictures import picture, save_grid


class Samples(StepCallback):
    """Write a grid of samples from fixed latents early, every ``every`` steps and at the end.

    For a conditional generator each column is a class.

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
        assert isinstance(game, LatentGame)
        step = game.clock.step
        due = step % self.every == 0 or step == self.first or last or trainer.should_stop
        if not (due and trainer.is_global_zero):
            return
        columns = min(game.generator.num_classes or self.columns, self.columns)
        grid = picture(game.sample(self.rows * columns, seed=game.seed), columns)
        save_grid(grid, self.folder / f"step_{step:08d}.png")
        for logger in trainer.loggers:
            log_picture = getattr(logger, "log_picture", None)
            if log_picture is not None:
                log_picture("samples", grid, game.clock)
