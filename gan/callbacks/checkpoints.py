"""Checkpoints of a run."""

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
BY_QUALITY = (BEST, LAST, PREVIOUS)  # best first


class Checkpoints(StepCallback):
    """Write ``last.ckpt``, keep the one before it, and write ``best.ckpt`` by the monitored metric.

    A checkpoint is written atomically, after the logs up to its step. A run that is killed at any
    moment can therefore be resumed without a gap. Weights that are not finite are never written.

    Args:
        folder: of the checkpoints.
        every: steps between two writes of ``last.ckpt``; the last step always writes.

    Attributes:
        identity: settings that a resumed run must not change, stored in every checkpoint.
    """

    def __init__(self, folder: str, every: int = 500) -> None:
        if every < 1:
            raise InputError(f"callbacks.checkpoints.every={every}: give a number from 1")
        self.folder, self.every = Path(folder), every
        self.identity: Mapping[str, Any] = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the identity of the run."""
        checkpoint["identity"] = dict(self.identity)

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Write the checkpoints that are due."""
        step = game.clock.step
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, MetricsCallback) and callback.best.get("step") == step:
                self._write(trainer, BEST)
        if step % self.every == 0 or last or trainer.should_stop:
            self.write_last(trainer)

    def write_last(self, trainer: pl.Trainer) -> None:
        """Write ``last.ckpt``; the one before becomes ``previous.ckpt``."""
        for logger in trainer.loggers:
            logger.save()
        self._write(trainer, LAST, PREVIOUS)

    def _write(self, trainer: pl.Trainer, name: str, backup: str | None = None) -> None:
        """Write a checkpoint beside its file and rename it; the old file becomes ``backup``."""
        game = trainer.lightning_module
        if isinstance(game, TwoPlayerGame) and not game.is_finite():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        if trainer.is_global_zero:
            part.unlink(missing_ok=True)  # a link would be followed
        trainer.save_checkpoint(part)
        if not trainer.is_global_zero:
            return
        if backup is not None and (self.folder / name).exists():
            os.replace(self.folder / name, self.folder / backup)
        os.replace(part, self.folder / name)
