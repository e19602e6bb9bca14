"""The base class of the stages of the augmentation pipeline."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from gan.augment.sampler import ParameterSampler


class Stage(nn.Module, ABC):
    """Random transformations of one kind.

    Args:
        multiplier: factor of the probability p of each transformation.
    """

    def __init__(self, multiplier: float = 1.0) -> None:
        super().__init__()
        self.multiplier = multiplier

    def sampler(self, images: Tensor, p: Tensor) -> ParameterSampler:
        """Return the parameter sampler for a batch (B, C, H, W)."""
        return ParameterSampler(len(images), self.multiplier * p)

    @abstractmethod
    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return transformed images of the shape of ``images``, twice differentiable.

        Args:
            images: (B, C, H, W), at least float32.
            p: probability, a scalar tensor on the same device.
        """
