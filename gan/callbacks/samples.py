"""Pictures of the same latents through training."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from gan.algorithms.gan import GAN
from gan.errors import InputError
from gan.pictures import save_grid, tile


class Samples(Callback):
    """Write a grid of samples from fixed latents every ``every`` steps and at the end.

    With a conditional generator each column is a class.

    Args:
        folder: where ``step_00000500.png`` and its like go.
        every: steps between two grids.
        rows: of the grid.
        columns: of the grid; a conditional generator has one a class, at most ``columns``.
    """

    def __init__(self, folder: str, every: int = 500, rows: int = 8, columns: int = 10) -> None:
        for name, value in {"every": every, "rows": rows, "columns": columns}.items():
            if value < 1:
                raise InputError(f"callbacks.samples.{name}={value}: give a number from 1")
        self.folder, self.every, self.rows, self.columns = Path(folder), every, rows, columns

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write a grid where it is due."""
        assert isinstance(pl_module, GAN)
        step = pl_module.clock.step
        due = step % self.every == 0 or batch_idx + 1 == trainer.num_training_batches
        if not (due and trainer.is_global_zero):
            return
        columns = min(pl_module.generator.num_classes or self.columns, self.columns)
        grid = tile(pl_module.sample(self.rows * columns, seed=pl_module.seed), columns)
        save_grid(grid, self.folder / f"step_{step:08d}.png")
        for logger in trainer.loggers:
            log_picture = getattr(logger, "log_picture", None)
            if log_picture is not None:
                log_picture("samples", grid, pl_module.clock)
