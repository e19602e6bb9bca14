"""Differentiable augmentation."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from gan.augment.base import Augmentation
from gan.errors import InputError


def random_colour(x: Tensor) -> Tensor:
    """Return images (B, C, H, W) of another brightness, saturation and contrast each.

    Brightness moves by up to 0.5, saturation scales by 0 to 2, contrast by 0.5 to 1.5.
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
    """Return images (B, C, H, W) moved by up to ``ratio`` of their side each way.

    Args:
        x: images.
        ratio: at most a half.
        border: what comes in, a mode of ``torch.nn.functional.pad``; "constant" is grey.
    """
    count, _, height, width = x.shape
    most = round(height * ratio), round(width * ratio)
    padded = pad(x, (most[1], most[1], most[0], most[0]), mode=border)
    down, right = (torch.randint(0, 2 * m + 1, (count, 1), device=x.device) for m in most)
    rows = (torch.arange(height, device=x.device) + down)[:, :, None]
    columns = (torch.arange(width, device=x.device) + right)[:, None, :]
    images = torch.arange(count, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2)


def random_cutout(x: Tensor, ratio: float = 0.5) -> Tensor:
    """Return images (B, C, H, W) with a grey square of ``ratio`` of their side, anywhere."""
    count, _, height, width = x.shape
    side = round(height * ratio)

    def covered(length: int) -> Tensor:
        start = torch.randint(0, length + 1, (count, 1), device=x.device) - side // 2
        offset = torch.arange(length, device=x.device) - start
        return (offset >= 0) & (offset < side)

    hole = covered(height)[:, None, :, None] & covered(width)[:, None, None, :]
    return x.masked_fill(hole, 0.0)


class DiffAugment(Augmentation):
    """Colour, translation and cutout on all that the discriminator sees (Zhao et al., 2020).

    Args:
        colour: jitter brightness, saturation and contrast.
        translation: move by up to an eighth.
        cutout: blank a square of half the side.
        p: probability that an image gets any one of them; 1 in the paper.
    """

    def __init__(
        self, colour: bool = True, translation: bool = True, cutout: bool = True, p: float = 1.0
    ) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise InputError(f"augment.p={p}: give a probability")
        chosen = {random_colour: colour, random_translation: translation, random_cutout: cutout}
        self.policies = [policy for policy, wanted in chosen.items() if wanted]
        self.p = p

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images of the shape of ``images``, differentiable."""
        for policy in self.policies:
            coin = torch.rand(len(images), 1, 1, 1, device=images.device) < self.p
            images = torch.where(coin, policy(images), images)
        return images
