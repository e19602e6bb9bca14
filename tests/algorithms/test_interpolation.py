"""Walks between images begin and end at their reconstructions."""

from typing import Any

import torch
from torch import Tensor

from gan.algorithms.interpolation import interpolate_images


class Linear:
    """An autoencoder: the latent is the mean of an image and its square."""

    def __init__(self) -> None:
        self.prior = self

    def encode(self, images: Tensor) -> Tensor:
        mean = images.flatten(1).mean(1, keepdim=True)
        return torch.cat([mean, mean.square()], dim=1)

    def interpolate(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return start + t * (end - start)

    def decode(self, z: Tensor, labels: Any = None, *_: Any) -> Tensor:
        return z.view(-1, 2, 1, 1)


def test_between_images() -> None:
    images = torch.tensor([0.1, 0.9, -0.5, 0.3]).view(4, 1, 1, 1)
    played: Any = Linear()
    rows = interpolate_images(played, images, 5)[..., 0, 0]
    assert torch.allclose(rows[:, 0, 0], torch.tensor([0.1, -0.5]))
    assert torch.allclose(rows[:, -1, 0], torch.tensor([0.9, 0.3]))
    assert torch.allclose(rows[0, :, 0], torch.linspace(0.1, 0.9, 5))
