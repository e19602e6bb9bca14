"""Corruptions: noise and cutout."""

import torch
from torch import Tensor

from gan.augment.stage import Stage


class Noise(Stage):
    """Gaussian pixel noise with a random standard deviation |N(0, 0.1^2)| for each image.

    Karras et al., 2020b, appendix B.

    Args:
        multiplier: see :class:`Stage`.
    """

    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return images with noise; see :class:`Stage`."""
        strength = self.sampler(images, p).normal(0.1).abs()[:, None, None, None]
        return images + strength * torch.randn_like(images)


class Cutout(Stage):
    """A grey rectangle with half the height and width, centred at a uniform position.

    Karras et al., 2020b, appendix B.

    Args:
        multiplier: see :class:`Stage`.
    """

    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return images with the rectangle set to 0; see :class:`Stage`."""
        sampler, device = self.sampler(images, p), images.device

        def inside(side: int) -> Tensor:
            middle = torch.rand(len(images), 1, device=device)
            return ((torch.arange(side, device=device) + 0.5) / side - middle).abs() < 0.25

        down, across = (inside(side) for side in images.shape[2:])
        hole = sampler.mask()[:, None, None] & down[:, :, None] & across[:, None, :]
        return images.masked_fill(hole[:, None], 0.0)
