"""Flips and small shifts, which leave what an image shows as it is."""

import torch
from torch import Tensor

from gan.augment.diffaugment import random_translation
from gan.errors import InputError


class FlipShift:
    """The transformation T of consistency terms (Zhang et al., 2020): mirrored, moved a little.

    Each image is mirrored with probability one half, and moved by whole pixels, by up to 4 of 32;
    its reflection comes in, as in StudioGAN (the paper does not say), so that T draws no frame.

    Args:
        flip: mirror from left to right, the paper's default. Set it to false where an image and its
            mirror image differ in meaning, such as digits and text: what D does not tell apart, G
            may mix.
        ratio: of the side, by which an image is moved at most, in [0, 1/2].

    Raises:
        InputError: if ``ratio`` lies elsewhere.
    """

    def __init__(self, flip: bool = True, ratio: float = 0.125) -> None:
        if not 0 <= ratio <= 0.5:
            raise InputError(f"transform.ratio={ratio}: give a part of the side, from 0 to 0.5")
        self.flip, self.ratio = flip, ratio

    def __call__(self, images: Tensor) -> Tensor:
        """Return transformed images of the shape of ``images``, (B, C, H, W), differentiable."""
        if self.flip:
            coin = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
            images = torch.where(coin, images.flip(3), images)
        return random_translation(images, self.ratio, border="reflect")
