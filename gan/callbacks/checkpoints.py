"""Checkpoints by the clock of the run."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.evaluation import MetricsCallback
from gan.errors import InputError

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
GOOD = (BEST, LAST, PREVIOUS)  # in the order in which one would go back to them


class Checkpoints(StepCallback):
    """Keep ``last.ckpt`` and the one before it and, by the monitored metric, ``best.ckpt``.

    Each is written whole or not at all, and what was logged up to it is on disk before, so that a
    run that is killed at any moment goes on from one of them without a gap. Weights that are not
    finite are never written.

    Args:
        folder: where they go.
        every: steps between two writes of ``last.ckpt``; the last step always writes.

    Attributes:
        identity: what makes the run the run it is, kept in every checkpoint.
    """

    def __init__(self, folder: str, every: int = 500) -> None:
        if every < 1:
            raise InputError(f"callbacks.checkpoints.every={every}: give a number from 1")
        self.folder, self.every = Path(folder), every
        self.identity: Mapping[str, Any] = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say which run it is."""
        checkpoint["identity"] = dict(self.identity)

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Write what is due."""
        step = game.clock.step
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, MetricsCallback) and callback.best.get("step") == step:
                self._write(trainer, BEST)
        if step % self.every == 0 or last or trainer.should_stop:
            self.write_last(trainer)

    def write_last(self, trainer: pl.Trainer) -> None:
        """Write ``last.ckpt`` and keep the one before."""
        for logger in trainer.loggers:
            logger.save()
        self._write(trainer, LAST, PREVIOUS)

    def _write(self, trainer: pl.Trainer, name: str, kept: str | None = None) -> None:
        """Write beside the place and move into it; what was there moves to ``kept``."""
        game = trainer.lightning_module
        if isinstance(game, TwoPlayerGame) and not game.is_finite():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        trainer.save_checkpoint(part)
        if not trainer.is_global_zero:
            return
        if kept is not None and (self.folder / name).exists():
            os.replace(self.folder / name, self.folder / kept)
        os.replace(part, self.folder / name)
