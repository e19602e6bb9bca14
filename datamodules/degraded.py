"""Pairs of an image and its source, which a degradation makes."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from datamodules.degradations.base import Degradation
from datamodules.loader import Batch, StepLoader, in_order, to_batch
from datamodules.split import Split

if TYPE_CHECKING:
    from datamodules.base import ImageDataModule

PairOfBatches = tuple[Batch, Batch]  # sources, images
_HELD = 0  # first part of the keys of images that are measured


class DegradedLoader:
    """The steps of a loader as pairs: sources and images, with the same labels.

    What is random about a source depends on (seed, number of the batch, row) alone, so that an
    image has another source whenever it occurs.

    Args:
        loader: of the images.
        task: that makes the sources.
        seed: of the sources.
    """

    def __init__(self, loader: StepLoader, task: Degradation, seed: int) -> None:
        self.loader, self.task, self.seed = loader, task, seed

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[list[PairOfBatches]]:
        turns = self.loader.n_critic
        for step, batches in enumerate(self.loader, self.loader.start()):
            yield [self._pair(step * turns + turn, b) for turn, b in enumerate(batches)]

    def _pair(self, number: int, batch: Batch) -> PairOfBatches:
        """Return sources and images of a batch."""
        images, labels = batch
        first = self.loader.shard.rank * len(images)
        keys = [(1 + self.seed, number, first + row) for row in range(len(images))]
        return (self.task(images, keys), labels), batch


class DegradedSplit(Split):
    """The sources of the images of a split, in 8 bits; source k is always the same.

    Args:
        whole: the images.
        task: that makes the sources.
    """

    def __init__(self, whole: Split, task: Degradation) -> None:
        self.whole, self.task, self.labels = whole, task, whole.labels

    def __len__(self) -> int:
        return len(self.whole)

    @property
    def num_classes(self) -> int:
        """Return the number of classes of the images."""
        return self.whole.num_classes

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        images = self.whole.to_float(self.whole.images(indices))
        sources = self.task(images, [(_HELD, k) for k in indices.tolist()])
        return sources.add(1).mul(127.5).round().to(torch.uint8)

    def fingerprint(self) -> str:  # noqa: D102
        settings = sorted(self.task.settings.items())
        return hashlib.sha256(f"{self.whole.fingerprint()} {settings}".encode()).hexdigest()


class Sources:
    """The sources of a data set's images, to be measured.

    Args:
        data: of the images.
        task: that makes the sources.
    """

    def __init__(self, data: "ImageDataModule", task: Degradation) -> None:
        self.data, self.task = data, task
        self.name = f"{data.name}, {task.name}"
        self.channels, self.num_classes = data.channels, data.num_classes
        self.resolution = data.resolution // task.scale
        self.class_names, self.flip = data.class_names, data.flip

    @property
    def split_sizes(self) -> dict[str, int]:
        """Return nothing: the splits are those of the images."""
        return {}

    def split(self, split: str) -> Split:
        """Return the sources of a split, in 8 bits, with the labels."""
        return DegradedSplit(self.data.split(split), self.task)

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256 of the images of a split and of the task, hexadecimal."""
        return self.split(split).fingerprint()

    def batch(self, split: str, indices: Tensor) -> Batch:
        """Return the sources at int64 indices (n,), as they would be stored, and the labels."""
        sources = self.split(split)
        return to_batch(sources, sources.fetch(indices), self.data.device)

    def reals(
        self, split: str, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Yield the sources of a split in stored order; see `ImageDataModule.reals`."""
        return in_order(self.split(split), batch_size, rank, world_size, self.data.device)
