"""The history of translated images."""

import copy
from typing import Self

import torch
from torch import Tensor, nn

from gan import processes
from gan.errors import InputError
from gan.latents import keyed_generator

_FIRST, _ANOTHER = (0, 1), (0, 2)  # ends of keys


class ImagePool(nn.Module):
    """The last images of a generator, from which the discriminator gets some (Shrivastava, 2017).

    Until the pool is full each image is stored and returned. Then each is returned as it is with
    probability 1/2; otherwise it takes the place of a stored image, which is returned. What happens
    to image n depends on (seed, n) alone; all processes hold the same pool.

    Args:
        size: images; 0 returns each image as it is.
        channels: of the images.
        resolution: height and width of the images.
        seed: of the choices.

    Attributes:
        images: stored ones, (size, C, H, W).
        seen: number of images so far.

    Raises:
        InputError: if ``size`` is negative.
    """

    images: Tensor
    seen: Tensor

    def __init__(self, size: int, channels: int, resolution: int, seed: int = 0) -> None:
        super().__init__()
        if size < 0:
            raise InputError(f"model.pool.size={size}: give a number from 0")
        self.seed, self.end = seed, _FIRST
        self.register_buffer("images", torch.zeros(size, channels, resolution, resolution))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def another(self) -> Self:
        """Return an empty pool of the same size with other choices."""
        pool = copy.deepcopy(self)
        pool.end = _ANOTHER
        return pool

    def forward(self, images: Tensor) -> Tensor:
        """Return as many images as given, (B, C, H, W), this device's share of the choice."""
        if not len(self.images):
            return images
        chosen = torch.stack([self._exchange(image) for image in processes.concatenate(images)])
        first = processes.rank() * len(images)
        return chosen[first : first + len(images)]

    def _exchange(self, image: Tensor) -> Tensor:
        """Return an image, or the stored one whose place it takes."""
        number, size = int(self.seen), len(self.images)
        self.seen += 1
        if number < size:
            self.images[number] = image
            return image
        draw = keyed_generator(self.seed, number, *self.end)
        if torch.rand((), generator=draw) < 0.5:
            return image
        place = int(torch.randint(size, (), generator=draw))
        stored = self.images[place].clone()
        self.images[place] = image
        return stored.to(image)
