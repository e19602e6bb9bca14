"""The progress of training."""

from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from gan import progress
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.telemetry import Telemetry

_PLAYERS = {"generator/": "loss G", "discriminator/": "loss D"}


class Progress(StepCallback):
    """The step, the rate, the time left and the latest figures, over all steps.

    A bar on a terminal; where the standard error is a file or a pipe, plain lines that also have
    the losses.

    Args:
        interval: smallest number of seconds between two refreshes of the bar.
        lines: seconds between two plain lines.
    """

    def __init__(self, interval: float = 0.5, lines: float = progress.INTERVAL) -> None:
        self.interval, self.lines = interval, lines
        self.bar: tqdm[Any] | progress.Lines | None = None
        self._opened = ExitStack()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Open the bar at the step of the run, before the first step."""
        assert isinstance(pl_module, TwoPlayerGame)
        if self.bar is None:
            self._open(trainer, pl_module)

    def _open(self, trainer: pl.Trainer, game: TwoPlayerGame) -> None:
        """Open the bar."""
        self.bar = progress.bar(
            "training",
            int(trainer.num_training_batches),
            initial=game.clock.step,
            refresh=self.interval,
            interval=self.lines,
            leave=True,
        )
        self._opened.enter_context(logging_redirect_tqdm())  # log lines above the bar
        self._opened.callback(self.bar.close)

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Advance the bar and show new figures."""
        assert self.bar is not None
        if game.log_due:
            self.bar.set_postfix(self._figures(trainer), refresh=False)
        self.bar.update()

    def _figures(self, trainer: pl.Trainer) -> dict[str, str]:
        """Return images per second, losses in lines, and the latest monitored metric."""
        figures: dict[str, str] = {}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Telemetry):
                figures["img/s"] = f"{callback.rate:.0f}"
                if isinstance(self.bar, progress.Lines):
                    figures |= _losses(callback.readings)
            if isinstance(callback, MetricsCallback) and callback.monitor in callback.last:
                figures[callback.monitor] = f"{callback.last[callback.monitor]:.2f}"
        return figures

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar, and restore the log."""
        self._opened.close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar if it was opened, and restore the log."""
        self._opened.close()


def _losses(readings: dict[str, float]) -> dict[str, str]:
    """Return the sum of the terms of each player's loss."""
    return {
        name: f"{sum(v for k, v in readings.items() if k.startswith(player)):.3g}"
        for player, name in _PLAYERS.items()
    }
