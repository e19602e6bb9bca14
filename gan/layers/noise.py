"""Noise for what is left to chance in an image."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from gan.latents import keyed_generator


class PixelNoise(nn.Module):
    """Normal noise of a learned strength at each pixel (Karras et al., 2019, section 3.2).

    The same for all feature maps of an image. In training it is new for every image; otherwise it
    is one fixed draw, so that an image depends on its latent alone, but within :func:`own_noise`.

    Args:
        resolution: height and width of the maps.
        channels: strengths: one a map as in StyleGAN, or 1 for one of all maps as in StyleGAN2.
    """

    constant: Tensor
    own: Tensor | None  # (B, 1, resolution, resolution)

    def __init__(self, resolution: int, channels: int = 1) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(channels, 1, 1))
        self.register_buffer("constant", torch.randn(1, 1, resolution, resolution))
        self.own = None

    def draw(self, generators: Sequence[Generator]) -> None:
        """Give each image of a batch noise of its own, from a CPU generator each."""
        shape = self.constant.shape
        fields = [torch.randn(shape, generator=generator) for generator in generators]
        self.own = torch.cat(fields).to(self.constant)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of x, (B, C, H, W), with noise."""
        if self.training:
            noise = torch.randn_like(x[:, :1])
        else:
            noise = (self.constant if self.own is None else self.own).to(x.dtype)
        return torch.addcmul(x, noise, self.strength.to(x.dtype))


@contextmanager
def own_noise(network: nn.Module, keys: Sequence[Sequence[int]]) -> Iterator[None]:
    """Let the images of a batch have pixel noise of their own for a while, as in training.

    Args:
        network: in evaluation mode.
        keys: of the noise, one an image of the batch; none leaves the fixed draw.
    """
    layers = [m for m in network.modules() if isinstance(m, PixelNoise)] if keys else []
    generators = [keyed_generator(*key) for key in keys] if layers else []
    try:
        for layer in layers:
            layer.draw(generators)
        yield
    finally:
        for layer in layers:
            layer.own = None
