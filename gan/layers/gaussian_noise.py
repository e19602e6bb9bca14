"""Noise on activations."""

import torch
from torch import Tensor, nn


class GaussianNoise(nn.Module):
    """Normal noise that is added to each number in training, and left out in evaluation.

    Args:
        std: of the noise.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """Return x, of any shape, with noise."""
        return x + self.std * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        """Return the deviation."""
        return f"std={self.std}"
