"""The images of one domain of pairs."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.degradations.luma import luma
from datamodules.loader import Batch, StepLoader, in_order, to_batch
from datamodules.split import Split, StoredBatch

COLOURS = 3  # channels of a colour image


def recolour(images: Tensor, channels: int) -> Tensor:
    """Return uint8 images (n, C, R, R) with 1 or 3 channels: gray is repeated, colour is its luma.

    The luma is rounded.
    """
    if images.shape[1] == channels:
        return images
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    return luma(images.float()).round_().to(torch.uint8)


class Recoloured(Split):
    """The images of another split with another number of channels.

    Args:
        whole: the split, of uint8.
        channels: 1 or 3.
    """

    def __init__(self, whole: Split, channels: int) -> None:
        self.whole, self.channels, self.labels = whole, channels, whole.labels

    def __len__(self) -> int:
        return len(self.whole)

    @property
    def num_classes(self) -> int:
        """Return the number of classes of the other split."""
        return self.whole.num_classes

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        return recolour(self.whole.images(indices), self.channels)

    def fingerprint(self) -> str:  # noqa: D102
        return self._digest(self.whole.fingerprint())

    def identity(self) -> str:  # noqa: D102
        return self._digest(self.whole.identity())

    def _digest(self, whole: str) -> str:
        """Return the SHA-256 of the digest of the other split and the number of channels."""
        return hashlib.sha256(f"{whole} {self.channels}".encode()).hexdigest()

    def stream(self, batches: Iterable[Tensor]) -> Iterator[StoredBatch]:  # noqa: D102
        for images, labels in self.whole.stream(batches):
            yield recolour(images, self.channels), labels

    def on_device(self, device: torch.device) -> "Recoloured":  # noqa: D102
        return Recoloured(self.whole.on_device(device), self.channels)


class Domain:
    """The images of a data set as one domain of pairs, with its own labels.

    Args:
        data: the data set.
        channels: of the domain, 1 or 3, to which the images are converted.
    """

    def __init__(self, data: ImageDataModule, channels: int) -> None:
        self.data, self.channels = data, channels
        self.name, self.resolution = data.name, data.resolution
        self.flip = data.flip

    @property
    def num_classes(self) -> int:
        """Return the number of classes of the data set."""
        return self.data.num_classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes in the order of their labels."""
        return self.data.class_names

    @property
    def split_sizes(self) -> Mapping[str, int]:
        """Return the number of images of each split that was read so far."""
        return self.data.split_sizes

    def split(self, split: str) -> Split:
        """Return a split.

        Raises:
            DataError: if there is none, or it cannot be read.
        """
        return self._converted(self.data.split(split))

    def placed(self, split: str) -> Split:
        """Return a split, moved to the device of training if it fits there."""
        return self._converted(self.data.placed(split))

    def _converted(self, split: Split) -> Split:
        """Return a split of the data set in the channels of the domain."""
        same = self.channels == self.data.channels
        return split if same else Recoloured(split, self.channels)

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256, in hexadecimal, of the images and labels of a split."""
        return self.split(split).fingerprint()

    def identity(self) -> str:
        """Return a SHA-256 of the training images and labels that moved files keep."""
        return self.split("train").identity()

    def batch(self, split: str, indices: Tensor) -> Batch:
        """Return the images of a split at int64 indices (n,), in their order, and the labels."""
        images = self.placed(split)
        return to_batch(images, images.fetch(indices), self.data.device)

    def reals(
        self, split: str, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Yield the batches of a split in stored order; see `ImageDataModule.reals`."""
        return in_order(self.placed(split), batch_size, rank, world_size, self.data.device)

    def loader(self, start: Callable[[], int], number: int) -> StepLoader:
        """Return the loader of training steps; see `ImageDataModule.loader`."""
        return self.data.loader(self.placed("train"), start, number)
