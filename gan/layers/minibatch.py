"""Discriminator layers that compare the images of a batch."""

import torch
from torch import Tensor, nn

from gan import processes


class Alone(nn.Module):
    """The identity: images of a batch are not compared.

    Args:
        features: size of the features h.

    Attributes:
        width: size of the output for each image.
        compares: whether the output for an image depends on the other images of the batch.
    """

    compares: bool = False

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = features

    def forward(self, h: Tensor) -> Tensor:
        """Return h, (B, width), unchanged."""
        return h


class MinibatchDiscrimination(Alone):
    """Append to the features of an image its closeness to the other images (Salimans et al., 2016).

    o(x_i)_b = sum over j != i of exp(-|M_ib - M_jb|_1), with M = T f(x) (section 3.2). Deviation:
    the paper's sum includes the constant term j = i. Images are compared real with real and fake
    with fake; in training within the batch of all devices, each of which has as many.

    Args:
        features: size of the features h.
        kernels: B, outputs appended to the features.
        dim: C, dimension of the space in which a kernel measures distance.
    """

    compares = True

    def __init__(self, features: int, kernels: int = 100, dim: int = 5) -> None:
        super().__init__(features + kernels)
        self.kernels = kernels
        self.transform = nn.Linear(features, kernels * dim, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """Return (B, features + kernels) from features h, (B, features)."""
        m = self.transform(h).unflatten(1, (self.kernels, -1))
        every = processes.gather(m) if self.training else m
        distance = (m[:, None] - every).abs().sum(3)  # (B, B of all devices, kernels)
        closeness = torch.exp(-distance).sum(1) - 1
        return torch.cat([h, closeness.to(h)], dim=1)
