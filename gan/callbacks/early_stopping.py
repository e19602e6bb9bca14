"""Early stopping of a run whose metric no longer improves."""

import logging
from typing import TypedDict

import pytorch_lightning as pl

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.evaluation import MetricsCallback
from gan.errors import InputError

_log = logging.getLogger(__name__)


class _State(TypedDict):
    """The state in a checkpoint."""

    reason: str | None


class EarlyStopping(StepCallback):
    """Stop a run whose monitored metric no longer improves, by the history of its evaluations.

    The run ends like a finished one. Acts after the metrics, whose history every checkpoint holds,
    and before the callbacks that act on the last step.

    Args:
        patience: evaluations in a row without a new best value of ``evaluation.monitor`` after
            which the run stops; null never stops.

    Attributes:
        reason: why the run was stopped, or ``None``.
    """

    def __init__(self, patience: int | None = None) -> None:
        if patience is not None and patience < 1:
            raise InputError(f"stop.patience={patience}: give a number of evaluations from 1")
        self.patience = patience
        self.reason: str | None = None
        self.metrics: MetricsCallback | None = None

    def watch(self, metrics: MetricsCallback | None) -> None:
        """Take the callback whose history is watched.

        Raises:
            InputError: if it would never be asked.
        """
        if self.patience is None:
            return
        if metrics is None or metrics.monitor not in metrics.ranking:
            raise InputError(
                f"stop.patience={self.patience}: nothing is monitored: choose metrics=[fid] and "
                "evaluation.monitor=fid, or leave it out"
            )
        if metrics.evaluation.every == 0:
            raise InputError(
                f"stop.patience={self.patience}: evaluation.every=0 measures at the end only: "
                "give evaluation.every=500"
            )
        self.metrics = metrics

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a resumed run that would stop again; warn of a run that is too short to stop.

        Raises:
            InputError: if the history of the run is stale already.
        """
        self.reason = self._stale()
        if self.reason is not None:
            raise InputError(
                f"resume: the run was stopped: {self.reason}: give a larger stop.patience than "
                f"{self.patience}, or stop.patience=null"
            )
        if self.metrics is not None and self.patience is not None:
            count = int(trainer.num_training_batches) // self.metrics.evaluation.every
            if count <= self.patience:
                _log.warning(
                    "stop.patience=%d stops nothing: the run has %d evaluations before its end",
                    self.patience,
                    count,
                )

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Stop the run after an evaluation if the history is stale."""
        if self.metrics is None or last or self.metrics.last.get("step") != game.clock.step:
            return
        self.reason = trainer.strategy.broadcast(self._stale())
        trainer.should_stop |= self.reason is not None

    def _stale(self) -> str | None:
        """Return what shows that the metric no longer improves, or ``None``."""
        if self.metrics is None or self.patience is None or self.metrics.stale < self.patience:
            return None
        best, monitor = self.metrics.best, self.metrics.monitor
        return (
            f"{monitor} has not improved in {self.metrics.stale} evaluations since step "
            f"{best['step']:.0f}, where it was {best[monitor]:.4g}"
        )

    def state_dict(self) -> _State:  # type: ignore[override]
        """Return why the run was stopped at this checkpoint."""
        return {"reason": self.reason}

    def load_state_dict(self, state_dict: _State) -> None:  # type: ignore[override]
        """Leave the reason to the history that is restored."""
