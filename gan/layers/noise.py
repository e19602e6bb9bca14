"""Noise for what is left to chance in an image."""

import torch
from torch import Tensor, nn


class PixelNoise(nn.Module):
    """Normal noise of a learned strength at each pixel (Karras et al., 2019, section 3.2).

    The same for all feature maps of an image. In training it is new for every image; otherwise it
    is one fixed draw, so that an image depends on its latent alone (the authors' code draws anew
    for metrics too).

    Args:
        resolution: height and width of the maps.
        channels: strengths: one a map as in StyleGAN, or 1 for one of all maps as in StyleGAN2.
    """

    constant: Tensor

    def __init__(self, resolution: int, channels: int = 1) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(channels, 1, 1))
        self.register_buffer("constant", torch.randn(1, 1, resolution, resolution))

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of x, (B, C, H, W), with noise."""
        noise = torch.randn_like(x[:, :1]) if self.training else self.constant.to(x.dtype)
        return torch.addcmul(x, noise, self.strength.to(x.dtype))
