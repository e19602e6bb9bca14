"""The base class of the degradations."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor

from datamodules.errors import DataError

Setting = str | int | float | bool
PICTURES = (1, 3)  # channels: gray, colour
DRAWS = 2  # spawn key of the random numbers, which no other numbers of the data have


class Degradation(ABC):
    """Makes the source of a restoration from an image.

    Attributes:
        name: of the option, such as "denoise".
        classical: name of the classical restoration, such as "bicubic"; None if there is none.
        scale: height of an image over that of its source; 1 for most.
    """

    name: ClassVar[str]
    classical: ClassVar[str | None] = None
    scale: int = 1

    @abstractmethod
    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        """Return the sources of images.

        Args:
            images: float32 (B, C, H, W) in [-1, 1].
            keys: B tuples of whole numbers from 0; what is random about source k depends on
                `keys[k]` alone.

        Returns:
            Float32 (B, C, H / scale, W / scale) in [-1, 1], on the device of the images.
        """

    def baseline(self, sources: Tensor) -> Tensor:
        """Return the classical restoration of sources, or a copy of them if there is none.

        Args:
            sources: float32 (B, C, H / scale, W / scale) in [-1, 1].

        Returns:
            Float32 (B, C, H, W) in [-1, 1], on the device of the sources.

        Raises:
            DataError: if scikit-image is needed and not installed.
        """
        return sources.clone()

    def complete(self, sources: Tensor, images: Tensor) -> Tensor:
        """Return restored images (B, C, H, W), with the pixels that the sources still know."""
        return images

    @property
    def settings(self) -> dict[str, Setting]:
        """Return the name and the arguments, for the protocol of a metric."""
        return {"task": self.name}

    def check(self, channels: int, resolution: int) -> None:
        """Refuse images that cannot be degraded so.

        Args:
            channels: of the images.
            resolution: their height and width in pixels.

        Raises:
            DataError: with the remedy.
        """
        if channels not in PICTURES:
            raise DataError(
                f"task={self.name}: the data are points, not images: choose others by data=NAME"
            )


def draws(key: tuple[int, ...]) -> np.random.Generator:
    """Return the random generator of a source, which depends only on its key."""
    entropy = (len(key), *key)  # NumPy does not tell (1,) from (1, 0)
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(DRAWS,)))


def check_positive(setting: str, value: float) -> float:
    """Return a value that is finite and above 0.

    Raises:
        DataError: for any other.
    """
    if not 0 < value < math.inf:
        raise DataError(f"{setting}={value}: must be above 0")
    return value


def check_least(setting: str, value: int, least: int) -> int:
    """Return a value that is not below the least.

    Raises:
        DataError: for any other.
    """
    if value < least:
        raise DataError(f"{setting}={value}: must be at least {least}")
    return value
