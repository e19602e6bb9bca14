"""Callbacks that act after a step."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from gan.algorithms.two_player import TwoPlayerGame


class StepCallback(Callback, ABC):
    """A callback that acts after each step."""

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Call :meth:`after_step`."""
        assert isinstance(pl_module, TwoPlayerGame)
        self.after_step(trainer, pl_module, batch_idx + 1 == trainer.num_training_batches)

    @abstractmethod
    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Act after a step; ``last`` marks the last step of the run."""
