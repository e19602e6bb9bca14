"""The progress bar."""

import pytorch_lightning as pl
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.telemetry import Telemetry


class Progress(StepCallback):
    """A progress bar over all steps with rate, time left and the latest metric.

    Args:
        interval: smallest number of seconds between two refreshes.
    """

    def __init__(self, interval: float = 0.5) -> None:
        self.interval = interval

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the step of the run."""
        assert isinstance(pl_module, TwoPlayerGame)
        self.bar = tqdm(
            desc="training",
            total=int(trainer.num_training_batches),
            initial=pl_module.clock.step,
            unit="step",
            mininterval=self.interval,
            dynamic_ncols=True,
            disable=not trainer.is_global_zero,
        )
        self._redirect = logging_redirect_tqdm()  # log lines above the bar, not inside it
        self._redirect.__enter__()

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Advance the bar and show new figures."""
        if game.log_due:
            self.bar.set_postfix(self._figures(trainer), refresh=False)
        self.bar.update()

    def _figures(self, trainer: pl.Trainer) -> dict[str, str]:
        """Return images per second and the latest value of the monitored metric."""
        figures: dict[str, str] = {}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Telemetry):
                figures["img/s"] = f"{callback.rate:.0f}"
            if isinstance(callback, MetricsCallback) and callback.last:
                figures[callback.monitor] = f"{callback.last[callback.monitor]:.2f}"
        return figures

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar if it was opened."""
        if hasattr(self, "bar"):
            self._close()

    def _close(self) -> None:
        """Close the bar and restore the log."""
        self.bar.close()
        self._redirect.__exit__(None, None, None)
