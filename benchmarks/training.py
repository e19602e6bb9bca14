"""Training on random images, as several benchmarks do it."""

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

BATCH, RESOLUTION = 32, 32  # of a process


class Images:
    """Training steps on the same random images, of ten classes.

    Args:
        steps: generator updates.
        n_critic: discriminator updates a step.
        batch: images of an update.
        scale: of a game on images, height of an image over that of its source; ``None`` for games
            on latents.
    """

    def __init__(
        self, steps: int, n_critic: int, batch: int = BATCH, scale: int | None = None
    ) -> None:
        self.steps, self.n_critic, self.batch, self.scale = steps, n_critic, batch, scale

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Any]]:
        images, labels = self._draw(RESOLUTION), torch.arange(self.batch) % 10
        given: Any = images, labels
        if self.scale is not None:
            given = (self._draw(RESOLUTION // self.scale), labels), given
        for _ in range(self.steps):
            yield [given] * self.n_critic

    def _draw(self, side: int) -> Tensor:
        """Return random images of a height and width."""
        return torch.rand(self.batch, 3, side, side) * 2 - 1


def trainer(callback: pl.Callback, **settings: Any) -> pl.Trainer:
    """Return a trainer on the CPU that only trains."""
    return pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[callback],
        logger=False,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **settings,
    )
