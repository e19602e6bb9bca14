"""What a discriminator learns from the other images of a batch."""

import torch
from torch import Tensor, nn


class Alone(nn.Module):
    """Nothing: each image is judged by its own features.

    Args:
        features: numbers in h.

    Attributes:
        width: numbers that :meth:`forward` returns for an image.
        compares: what it returns depends on the other images.
    """

    compares: bool = False

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = features

    def forward(self, h: Tensor) -> Tensor:
        """Return features (B, width) from features (B, F)."""
        return h


class MinibatchDiscrimination(Alone):
    """Features beside how close they are to those of the other images (Salimans et al., 2016).

    o(x_i)_b = sum over j != i of exp(-|M_ib - M_jb|_1), with M = T f(x) (their section 3.2; the
    paper's sum holds the constant j = i too). The others are those of a device's batch, reals among
    reals and fakes among fakes.

    Args:
        features: numbers in h.
        kernels: B, numbers that join the features.
        dim: C, in which a kernel compares.
    """

    compares = True

    def __init__(self, features: int, kernels: int = 100, dim: int = 5) -> None:
        super().__init__(features + kernels)
        self.kernels = kernels
        self.transform = nn.Linear(features, kernels * dim, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """Return features (B, F + kernels) from features (B, F)."""
        m = self.transform(h).unflatten(1, (self.kernels, -1))
        distance = (m[:, None] - m).abs().sum(3)  # (B, B, kernels)
        closeness = torch.exp(-distance).sum(1) - 1
        return torch.cat([h, closeness.to(h)], dim=1)
