"""Checkpoints by the clock of the run."""

import os
from pathlib import Path

import pytorch_lightning as pl

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.evaluation import MetricsCallback
from gan.errors import InputError


class Checkpoints(StepCallback):
    """Keep ``last.ckpt`` and, by the monitored metric, ``best.ckpt``, each written whole or not.

    Args:
        folder: where they go.
        every: steps between two writes of ``last.ckpt``; the last step always writes.
    """

    def __init__(self, folder: str, every: int = 500) -> None:
        if every < 1:
            raise InputError(f"callbacks.checkpoints.every={every}: give a number from 1")
        self.folder, self.every = Path(folder), every

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Write what is due."""
        step = game.clock.step
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, MetricsCallback) and callback.best.get("step") == step:
                self._write(trainer, "best.ckpt")
        if step % self.every == 0 or last:
            self._write(trainer, "last.ckpt")

    def _write(self, trainer: pl.Trainer, name: str) -> None:
        """Write beside the place and move into it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            os.replace(part, self.folder / name)
