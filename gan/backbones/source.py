"""What the metrics ask of a data set."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from torch import Tensor


class Split(Protocol):
    """One split of a data set, addressed by index."""

    @property
    def labels(self) -> Tensor | None:
        """Class of every image, int64 (N,) on the CPU, or None."""

    def __len__(self) -> int:
        """Number of images."""

    def images(self, indices: Tensor) -> Tensor:
        """Images at `indices` (int64, (n,)) as stored, uint8 (n, C, R, R) but for points."""


class RealSource(Protocol):
    """A data set of square images; splits are "train" and "test"."""

    @property
    def name(self) -> str:
        """Name of the data set."""

    @property
    def channels(self) -> int:
        """C, 1 or 3; 2 for points of the plane."""

    @property
    def resolution(self) -> int:
        """R, height and width."""

    @property
    def num_classes(self) -> int:
        """K, 0 without labels."""

    def reals(
        self, split: str, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterable[tuple[Tensor, Tensor | None]]:
        """One sequential pass over this rank's shard.

        Yields images float32 (B, C, R, R) in [-1, 1] with labels int64 (B,) or None.
        An absent split raises a ValueError.
        """

    def split(self, split: str) -> Split:
        """The split itself; an absent one raises a ValueError."""

    def fingerprint(self, split: str) -> str:
        """SHA-256 of the split's images and labels, hexadecimal."""


@runtime_checkable
class StackedSource(RealSource, Protocol):
    """A data set whose channels are images of another one."""

    def layer(self) -> RealSource:
        """The data set of one channel; channels with labels i, j, k have label (i K + j) K + k."""


@runtime_checkable
class PlaneSource(RealSource, Protocol):
    """Points of a mixture of round Gaussians: images of two channels and one pixel."""

    @property
    def centres(self) -> Tensor:
        """Means of the modes, float32 (K, 2); label k is mode k."""

    @property
    def std(self) -> float:
        """Standard deviation of every mode along each axis."""
