"""The interface of likelihoods p(x | z) of images."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan.errors import InputError

LEVEL = 2 / 255  # distance of two levels of 8-bit images in [-1, 1]


class Likelihood(nn.Module, ABC):
    """A distribution of independent pixels around the images that a decoder gives.

    Attributes:
        cell: size of a level, by which a density is multiplied to give a probability; 1 for
            probabilities.
    """

    cell: ClassVar[float] = 1.0

    @abstractmethod
    def log_prob(self, images: Tensor, means: Tensor) -> Tensor:
        """Return log p(x | z) in nats, the sum over pixels and channels, (B,), float32 or wider.

        Args:
            images: x, (B, C, H, W) in [-1, 1].
            means: the decoder's images, (B, C, H, W).
        """

    def bits_per_dimension(self, nats: float, dimensions: int) -> float:
        """Return the bits for each pixel and channel of an image of a log-likelihood.

        Args:
            nats: log-likelihood of an image; a density is taken as constant within a level.
            dimensions: pixels times channels.
        """
        return -nats / (dimensions * math.log(2)) - math.log2(self.cell)


class ScaledLikelihood(Likelihood):
    """A likelihood with one scale for all pixels, which is learned with the decoder or fixed.

    A learned scale weighs reconstruction against KL (Rybkin et al., 2021).

    Args:
        scale: at the start, above 0, where black is -1 and white is 1.
        learned: whether training changes it.

    Raises:
        InputError: if the scale is not positive.
    """

    def __init__(self, scale: float = 0.3, learned: bool = True) -> None:
        super().__init__()
        if not 0 < scale < math.inf:
            raise InputError(f"likelihood.scale={scale}: give a positive number")
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learned)

    @property
    def scale(self) -> Tensor:
        """Return the scale, a scalar."""
        return self.log_scale.exp()
