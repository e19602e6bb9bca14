"""Flips and small translations for consistency regularization."""

import torch
from torch import Tensor

from gan.augment.diffaugment import random_translation
from gan.errors import InputError


class FlipShift:
    """The transformation T of consistency regularization (Zhang et al., 2020).

    Each image is flipped with probability 1/2 and translated by whole pixels, by up to 4 of 32. The
    border is filled by reflection, as in StudioGAN; the paper does not specify it.

    Args:
        flip: flip horizontally, the paper's default. Set it to false for data whose mirror images
            have another meaning, such as digits and text.
        ratio: maximum translation as a fraction of height and width, in [0, 1/2].

    Raises:
        InputError: if ``ratio`` is out of range.
    """

    def __init__(self, flip: bool = True, ratio: float = 0.125) -> None:
        if not 0 <= ratio <= 0.5:
            raise InputError(f"transform.ratio={ratio}: give a number from 0 to 0.5")
        self.flip, self.ratio = flip, ratio

    def __call__(self, images: Tensor) -> Tensor:
        """Return transformed images of the shape of ``images``, (B, C, H, W), differentiable."""
        if self.flip:
            coin = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
            images = torch.where(coin, images.flip(3), images)
        return random_translation(images, self.ratio, border="reflect")
