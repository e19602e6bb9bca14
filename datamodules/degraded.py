"""Pairs of an image and its source, which a degradation makes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from datamodules.degradations.base import Degradation
from datamodules.loader import Batch, StepLoader
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


class Sources:
    """The sources of a data set's images, to be measured: source k is always the same.

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
        """Return the images and labels from which the sources are made."""
        return self.data.split(split)

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256 of the images from which the sources are made."""
        return self.data.fingerprint(split)

    def batch(self, split: str, indices: Tensor) -> Batch:
        """Return the sources of the images at int64 indices (n,), and the labels."""
        images, labels = self.data.batch(split, indices)
        return self.task(images, [(_HELD, k) for k in indices.tolist()]), labels
