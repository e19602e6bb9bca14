"""Differentiable augmentation (Zhao et al., 2020)."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from gan.augment.base import Augmentation
from gan.errors import InputError


def random_colour(x: Tensor) -> Tensor:
    """Return images (B, C, H, W) with random brightness, saturation and contrast.

    Brightness moves by up to 0.5. Factors are in [0, 2] for saturation, [0.5, 1.5] for contrast.
    """
    brightness, saturation, contrast = torch.rand(
        3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype
    )
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = torch.lerp(grey, x, 2 * saturation)
    mean = x.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, x, contrast + 0.5)


def random_translation(x: Tensor, ratio: float = 0.125, border: str = "constant") -> Tensor:
    """Return images (B, C, H, W) translated by up to ``ratio`` of their height and width.

    Args:
        x: images.
        ratio: maximum translation, at most 1/2.
        border: mode of ``torch.nn.functional.pad`` for the border; "constant" is grey.
    """
    count, _, height, width = x.shape
    limits = round(height * ratio), round(width * ratio)
    padded = pad(x, (limits[1], limits[1], limits[0], limits[0]), mode=border)
    down, right = (torch.randint(0, 2 * m + 1, (count, 1), device=x.device) for m in limits)
    rows = (torch.arange(height, device=x.device) + down)[:, :, None]
    columns = (torch.arange(width, device=x.device) + right)[:, None, :]
    images = torch.arange(count, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2)


def random_cutout(x: Tensor, ratio: float = 0.5) -> Tensor:
    """Return images (B, C, H, W) with a grey square, of ``ratio`` of their height, at random."""
    count, _, height, width = x.shape
    side = round(height * ratio)

    def inside(length: int) -> Tensor:
        start = torch.randint(0, length + 1, (count, 1), device=x.device) - side // 2
        offset = torch.arange(length, device=x.device) - start
        return (offset >= 0) & (offset < side)

    hole = inside(height)[:, None, :, None] & inside(width)[:, None, None, :]
    return x.masked_fill(hole, 0.0)


class DiffAugment(Augmentation):
    """Colour, translation and cutout of all images that D sees (Zhao et al., 2020).

    Args:
        colour: change brightness, saturation and contrast.
        translation: translate by up to an eighth of the height and width.
        cutout: set a square of half the height to grey.
        p: probability of each transformation for an image; 1 in the paper.

    Raises:
        InputError: if ``p`` is not a probability.
    """

    def __init__(
        self, colour: bool = True, translation: bool = True, cutout: bool = True, p: float = 1.0
    ) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise InputError(f"augment.p={p}: give a probability")
        enabled = {random_colour: colour, random_translation: translation, random_cutout: cutout}
        self.policies = [policy for policy, use in enabled.items() if use]
        self.p = p

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images of the shape of ``images``, differentiable."""
        for policy in self.policies:
            coin = torch.rand(len(images), 1, 1, 1, device=images.device) < self.p
            images = torch.where(coin, policy(images), images)
        return images
