"""Procedural images of coloured shapes with known factors, for tests."""

from typing import Any

import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.split import Split, TensorSplit, row_slices
from datamodules.stream import keyed_generator

CHUNK = 1024


def circle(x: Tensor, y: Tensor) -> Tensor:
    """Return the signed distance to the unit circle, negative inside."""
    return (x**2 + y**2).sqrt() - 1


def square(x: Tensor, y: Tensor) -> Tensor:
    """Return the signed distance (maximum norm) to a square with half side 0.85."""
    return torch.maximum(x.abs(), y.abs()) - 0.85


def triangle(x: Tensor, y: Tensor) -> Tensor:
    """Return the signed distance to the sides of the equilateral triangle in the unit circle."""
    return torch.maximum(x.abs() * 0.75**0.5 - y / 2, y) - 0.5


SHAPES = (circle, square, triangle)


class Synthetic(ImageDataModule):
    """One antialiased shape per image on black, completely inside the image.

    Labels: 0 circle, 1 square, 2 triangle. `factors` returns the other properties.

    Args:
        train_size: images of "train".
        test_size: images of "test".
        content_seed: seed of the images; `seed` changes only their order.
        arguments: arguments of :class:`ImageDataModule`.
    """

    name = "synthetic"
    reads_files = False
    class_names = tuple(shape.__name__ for shape in SHAPES)

    def __init__(
        self,
        *,
        train_size: int = 4096,
        test_size: int = 1024,
        content_seed: int = 0,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.sizes = dict(zip(self.splits, (train_size, test_size), strict=True))
        self.content_seed = content_seed

    def factors(self, split: str) -> Tensor:
        """Return the factors of each image, float32 (n, 4 + channels).

        Columns: shape (0, 1, 2), radius in [0.2, 0.45], centre x and y in (-1, 1) with the image
        spanning [-1, 1] and y pointing down, then the value of each channel in [64, 255].
        """
        random = keyed_generator(self.content_seed, self.splits.index(split))
        n = self.sizes[split]
        shape = random.integers(len(SHAPES), size=(n, 1))
        radius = random.uniform(0.2, 0.45, size=(n, 1))
        centre = random.uniform(-1, 1, size=(n, 2)) * (1 - radius)
        colour = random.integers(64, 256, size=(n, self.channels))
        columns = (shape, radius, centre, colour)
        return torch.cat([torch.from_numpy(column).float() for column in columns], dim=1)

    def load(self, split: str) -> Split:  # noqa: D102
        factors = self.factors(split)
        images = [self._render(factors[rows]) for rows in row_slices(len(factors), CHUNK)]
        return TensorSplit(torch.cat(images), factors[:, 0].long())

    def _render(self, factors: Tensor) -> Tensor:
        """Return the uint8 images of factors."""
        shape, radius, x, y = (column[:, None, None] for column in factors[:, :4].unbind(1))
        side = (torch.arange(self.resolution) + 0.5) * (2 / self.resolution) - 1
        u, v = (side[None, None, :] - x) / radius, (side[None, :, None] - y) / radius
        distances = torch.stack([distance(u, v) for distance in SHAPES])
        chosen = distances.gather(0, shape.long().expand(distances.shape[1:])[None])[0]
        cover = (0.5 - chosen * radius * (self.resolution / 2)).clamp(0, 1)
        return (cover[:, None] * factors[:, 4:, None, None]).round().to(torch.uint8)
