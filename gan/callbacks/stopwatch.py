"""The time of training."""

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from gan.callbacks.evaluation import MetricsCallback


class Stopwatch(Callback):
    """Measures the time from the first step to the end of the last one, without measuring.

    Args:
        metrics: whose time does not count, or ``None``.
    """

    def __init__(self, metrics: MetricsCallback | None = None) -> None:
        self.metrics = metrics
        self._started: float | None = None
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """Return the seconds of training so far, since the run was started or resumed."""
        if self._started is None:
            return 0.0
        return (self._now() if self._ended is None else self._ended) - self._started

    def _now(self) -> float:
        """Return the time on a clock that stands still while metrics are measured."""
        return time.perf_counter() - (self.metrics.seconds if self.metrics else 0.0)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start at the first step."""
        if self._started is None:
            self._started = self._now()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop."""
        self._ended = self._now()
