"""Training on random images, as several benchmarks do it."""

import platform
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan.devices import hardware

BATCH, RESOLUTION = 32, 32  # of a process


def machine(device: str = "cpu") -> dict[str, Any]:
    """Return hardware and versions, for a file of results."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {"hardware": hardware(torch.device(device)), "versions": versions}


class Images:
    """Training steps on the same random images, of ten classes.

    Args:
        steps: generator updates.
        n_critic: discriminator updates a step.
        batch: images of an update.
        scale: of a game on images, height of an image over that of its source; ``None`` for games
            on latents.
        channels: of the images.
        resolution: their height and width.
    """

    def __init__(
        self,
        steps: int,
        n_critic: int,
        batch: int = BATCH,
        scale: int | None = None,
        channels: int = 3,
        resolution: int = RESOLUTION,
    ) -> None:
        self.steps, self.n_critic, self.batch, self.scale = steps, n_critic, batch, scale
        self.channels, self.resolution = channels, resolution

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Any]]:
        given: Any = self.labelled(self.resolution)
        if self.scale is not None:
            given = self.labelled(self.resolution // self.scale), given
        for _ in range(self.steps):
            yield [given] * self.n_critic

    def labelled(self, side: int) -> tuple[Tensor, Tensor]:
        """Return random images of a height and width, in [-1, 1], and labels."""
        images = torch.rand(self.batch, self.channels, side, side) * 2 - 1
        return images, torch.arange(self.batch) % 10


def trainer(*callbacks: pl.Callback, **settings: Any) -> pl.Trainer:
    """Return a trainer that only trains, on the CPU and without a logger unless told otherwise."""
    return pl.Trainer(
        **{"accelerator": "cpu", "logger": False, **settings},
        max_epochs=1,
        callbacks=list(callbacks),
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
