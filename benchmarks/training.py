"""Training on random images, as several benchmarks do it."""

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

BATCH, RESOLUTION = 32, 32  # of a process


class Images:
    """Training steps on the same random images, of ten classes."""

    def __init__(self, steps: int, n_critic: int) -> None:
        self.steps, self.n_critic = steps, n_critic

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[Tensor, Tensor]]]:
        images = torch.rand(BATCH, 3, RESOLUTION, RESOLUTION) * 2 - 1
        for _ in range(self.steps):
            yield [(images, torch.arange(BATCH) % 10)] * self.n_critic


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
