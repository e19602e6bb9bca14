"""The interface of the stages of an augmentation pipeline."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from gan.augment.sampler import ParameterSampler


class Stage(nn.Module, ABC):
    """Transformations of one kind, each at random.

    Args:
        multiplier: of the probability p with which an image gets any one of them.
    """

    def __init__(self, multiplier: float = 1.0) -> None:
        super().__init__()
        self.multiplier = multiplier

    def sampler(self, images: Tensor, p: Tensor) -> ParameterSampler:
        """Return the dice of a batch (B, C, H, W)."""
        return ParameterSampler(len(images), self.multiplier * p)

    @abstractmethod
    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return transformed images of the shape of ``images``, differentiable twice.

        Args:
            images: (B, C, H, W), of 32 bits or more.
            p: probability without dimensions, on their device.
        """
