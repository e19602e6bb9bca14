"""Losses, logits, gradient norms and rates in the loggers."""

import time
from typing import Any

import pytorch_lightning as pl

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.errors import InputError


class Telemetry(StepCallback):
    """Log the readings of the first, every ``every``-th and the last step.

    Loss terms, mean logits, gradient norms, learning rates, and images per second since the last
    record (time between steps, such as evaluation, does not count).

    Args:
        every: steps between two records.

    Attributes:
        rate: images per second of the last record.
        readings: of the last record.
    """

    def __init__(self, every: int = 50) -> None:
        if every < 1:
            raise InputError(f"callbacks.telemetry.every={every}: give a number from 1")
        self.every = every
        self.rate, self.readings = 0.0, dict[str, float]()
        self._seconds, self._images, self._started = 0.0, 0, 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the timer, and request gradient norms if the step will be logged."""
        assert isinstance(pl_module, TwoPlayerGame)
        step = pl_module.clock.step + 1
        last = batch_idx + 1 == trainer.num_training_batches
        pl_module.log_due = step % self.every == 0 or step == 1 or last
        self._seen, self._started = pl_module.clock.images, time.perf_counter()

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Log the readings if they are due."""
        due = game.log_due
        if due:
            self.readings = {k: float(v) for k, v in game.readings.items()}
        self._seconds += time.perf_counter() - self._started
        self._images += game.clock.images - self._seen
        if not due:
            return
        self.rate = self._images / self._seconds
        self._seconds, self._images = 0.0, 0
        record = {"images": game.clock.images, "images_per_second": self.rate, **self.readings}
        for logger in trainer.loggers:
            logger.log_metrics(record, step=game.clock.step)
