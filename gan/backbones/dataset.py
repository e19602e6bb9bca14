"""The data set, as backbones and metrics read it."""

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor


class Split(Protocol):
    """One split of a data set, addressed by index."""

    @property
    def labels(self) -> Tensor | None:
        """Return the class of every image, int64 (N,) on the CPU, or None."""

    def __len__(self) -> int:
        """Return the number of images."""

    def images(self, indices: Tensor) -> Tensor:
        """Return the stored images at `indices` (int64, (n,)).

        Returns:
            uint8 (n, C, R, R); float32 (n, 2, 1, 1) for points of the plane.
        """


class ImageDataset(Protocol):
    """A data set of square images; its splits are "train" and "test"."""

    @property
    def name(self) -> str:
        """Return the name of the data set."""

    @property
    def channels(self) -> int:
        """Return C, 1 or 3; 2 for points of the plane."""

    @property
    def resolution(self) -> int:
        """Return R, height and width."""

    @property
    def num_classes(self) -> int:
        """Return K, 0 without labels."""

    def reals(
        self, split: str, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterable[tuple[Tensor, Tensor | None]]:
        """Yield the images of this process's part of a split, in order.

        Yields:
            Images float32 (B, C, R, R) in [-1, 1] with labels int64 (B,) or None.

        Raises:
            ValueError: there is no such split.
        """

    def split(self, split: str) -> Split:
        """Return a split.

        Raises:
            ValueError: there is no such split.
        """

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256 of the images and labels of a split, hexadecimal."""


@runtime_checkable
class StackedDataset(ImageDataset, Protocol):
    """A data set whose channels are images of another data set."""

    def layer(self) -> ImageDataset:
        """Return the data set of one channel.

        Channels with labels i, j, k have the joint label (i K + j) K + k.
        """


@runtime_checkable
class PointDataset(ImageDataset, Protocol):
    """Points of a mixture of isotropic Gaussians: images of two channels and one pixel."""

    @property
    def centres(self) -> Tensor:
        """Return the means of the modes, float32 (K, 2); label k is mode k."""

    @property
    def std(self) -> float:
        """Return the standard deviation of every mode along each axis."""


class Domain(ImageDataset, Protocol):
    """The images of one domain of an image-to-image game."""

    def batch(self, split: str, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return images (n, C, R, R) in [-1, 1] of a split at int64 indices (n,), and labels."""


class Task(Protocol):
    """A degradation, which makes the sources of restorations."""

    @property
    def classical(self) -> str | None:
        """Return the name of the classical restoration, or ``None``."""

    @property
    def settings(self) -> Mapping[str, str | int | float]:
        """Return its name and strength, for the protocol of metrics."""

    def complete(self, sources: Tensor, images: Tensor) -> Tensor:
        """Return restored images (B, C, H, W), with the pixels that the sources still know."""

    def baseline(self, sources: Tensor) -> Tensor:
        """Return the classical restoration, (B, C, H, W) in [-1, 1]."""


class PairedDataset(Protocol):
    """Images of two domains."""

    @property
    def task(self) -> Task | None:
        """Return what makes the sources, or ``None``."""

    @property
    def domains(self) -> Mapping[str, Domain]:
        """Return domain "a", the sources, and domain "b"."""

    @property
    def paired(self) -> bool:
        """Return whether image k of both domains shows the same."""


def has_split(dataset: ImageDataset, split: str) -> bool:
    """Return whether a data set has a split."""
    try:
        dataset.split(split)
    except ValueError:
        return False
    return True


def held_out_split(dataset: ImageDataset) -> str:
    """Return the split whose images are translated: validation, test or train, what there is."""
    return next(s for s in ("validation", "test", "train") if has_split(dataset, s))
