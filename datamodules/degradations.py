"""Degradations: how the source of a restoration is made from an image."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate


class Degradation(ABC):
    """Makes the source of a restoration from an image.

    Attributes:
        name: of the option.
        scale: height of an image over that of its source.
    """

    name: str
    classical: str = ""
    scale: int = 1

    @abstractmethod
    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        """Return the sources, float32 (B, C, H / scale, W / scale) in [-1, 1]."""

    def check(self, channels: int, resolution: int) -> None:
        """Refuse images that cannot be degraded so."""


class Denoise(Degradation):
    """Gaussian noise.

    Args:
        std: of the noise.
    """

    name = "denoise"

    def __init__(self, std: float = 0.5) -> None:
        self.std = std

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        """Return noisy images."""
        noise = [np.random.default_rng(np.random.SeedSequence(k)).standard_normal(images.shape[1:], np.float32) for k in keys]
        return (images + self.std * torch.from_numpy(np.stack(noise)).to(images)).clamp(-1, 1)


class Inpaint(Degradation):
    """Hole.

    Args:
        size: of the hole.
    """

    name = "inpaint"

    def __init__(self, size: int = 12) -> None:
        self.size = size

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        """Return images with a hole."""
        top = (images.shape[2] - self.size) // 2
        images = images.clone()
        images[:, :, top : top + self.size, top : top + self.size] = 0
        return images


class Superresolve(Degradation):
    """Reduced images.

    Args:
        factor: of the reduction.
    """

    name = "superresolve"

    def __init__(self, factor: int = 2) -> None:
        self.scale = factor

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        """Return small images."""
        return interpolate(images, scale_factor=1 / self.scale, mode="bicubic", antialias=True).clamp(-1, 1)
