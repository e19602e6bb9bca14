"""Noise inputs of style-based generators."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from gan.latents import keyed_generator


class PixelNoise(nn.Module):
    """Normal noise of learned strength, added to each pixel (Karras et al., 2019, section 3.2).

    All feature maps of an image get the same noise. In training, each image gets new noise. In
    evaluation, all images get one fixed noise map, so that an image depends on its latent only;
    :func:`noise_per_image` replaces that map.

    Args:
        resolution: height and width of the feature maps.
        channels: number of strengths: one per feature map (StyleGAN), or 1 (StyleGAN2).

    Attributes:
        constant: the fixed noise map, (1, 1, resolution, resolution).
        per_image: noise of each image, (B, 1, resolution, resolution), or ``None``.
    """

    constant: Tensor
    per_image: Tensor | None

    def __init__(self, resolution: int, channels: int = 1) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(channels, 1, 1))
        self.register_buffer("constant", torch.randn(1, 1, resolution, resolution))
        self.per_image = None

    def sample(self, generators: Sequence[Generator]) -> None:
        """Sample ``per_image`` from one CPU generator per image."""
        shape = self.constant.shape
        maps = [torch.randn(shape, generator=generator) for generator in generators]
        self.per_image = torch.cat(maps).to(self.constant)

    def draw(self, x: Tensor) -> Tensor:
        """Return normal noise for feature maps x, (B, 1, H, W) or (1, 1, H, W)."""
        if self.training:
            return torch.randn_like(x[:, :1])
        return (self.constant if self.per_image is None else self.per_image).to(x.dtype)

    def shift(self, x: Tensor) -> Tensor:
        """Return what is added to feature maps x, (B or 1, channels, H, W)."""
        return self.draw(x) * self.strength.to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps x, (B, C, H, W), with noise added."""
        return torch.addcmul(x, self.draw(x), self.strength.to(x.dtype))


@contextmanager
def noise_per_image(network: nn.Module, keys: Sequence[Sequence[int]]) -> Iterator[None]:
    """Give each image of a batch its own pixel noise inside the context, as in training.

    Args:
        network: in evaluation mode.
        keys: seeds of the noise, one per image; if empty, the fixed noise map is kept.
    """
    layers = [m for m in network.modules() if isinstance(m, PixelNoise)] if keys else []
    generators = [keyed_generator(*key) for key in keys] if layers else []
    try:
        for layer in layers:
            layer.sample(generators)
        yield
    finally:
        for layer in layers:
            layer.per_image = None
