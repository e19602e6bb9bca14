"""The networks of R3GAN, without normalisation layers (Huang et al., 2024)."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan.conditioning.base import Conditioning
from gan.layers.filtering import Downsample, Upsample
from gan.layers.pointwise import Conv1x1
from gan.networks.base import BASE, Discriminator, Generator, halvings

Layer = TypeVar("Layer", bound=nn.Linear | nn.Conv2d)

_GAIN = math.sqrt(2 / (1 + 0.2**2))  # of leaky ReLU (He et al., 2015)


def _initialized(layer: Layer, gain: float = 1.0) -> Layer:
    """Return ``layer`` with weights from N(0, gain^2 / fan_in)."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    return layer


def _pointwise(before: int, after: int, gain: float = 1.0) -> Conv1x1:
    """Return a 1x1 convolution without bias."""
    return _initialized(Conv1x1(before, after), gain)


def _grouped(channels: int, groups: int, gain: float) -> nn.Conv2d:
    """Return a 3x3 convolution in groups, without bias."""
    layer = nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False)
    return _initialized(layer, gain)


class BiasedLeakyReLU(nn.Module):
    """A learned bias, then leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of x, (B, channels, H, W)."""
        return leaky_relu(x + self.bias.to(x.dtype), 0.2, inplace=True)


class Bottleneck(nn.Module):
    """A residual block with an inverted, grouped bottleneck; the identity at initialisation.

    Convolutions: 1x1, grouped 3x3, 1x1. Fixup initialisation (Zhang et al., 2019) scales the first
    two by L^(-1/4) for L blocks in the network and sets the last to 0 (Huang et al., 2024,
    section 3.4).

    Args:
        width: input and output channels.
        groups: groups of the 3x3 convolution.
        expansion: channels inside the block, as a multiple of ``width``.
        blocks: L, blocks in the network.
    """

    def __init__(self, width: int, groups: int, expansion: int, blocks: int) -> None:
        super().__init__()
        inner, gain = width * expansion, _GAIN * blocks**-0.25
        self.layers = nn.Sequential(
            _pointwise(width, inner, gain),
            BiasedLeakyReLU(inner),
            _grouped(inner, groups, gain),
            BiasedLeakyReLU(inner),
            _pointwise(inner, width, gain=0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of x, (B, width, H, W)."""
        residual: Tensor = self.layers(x)
        return x + residual


def _residual_blocks(
    width: int, groups: int, expansion: int, depth: int, stages: int
) -> list[nn.Module]:
    """Return the residual blocks of one resolution."""
    return [Bottleneck(width, groups, expansion, depth * stages) for _ in range(depth)]


def _stage_widths(width: int | Sequence[int], resolution: int) -> list[int]:
    """Return the channels at 4, 8, ... pixels."""
    stages = halvings(resolution) + 1
    widths = [width] * stages if isinstance(width, int) else list(width)
    if len(widths) != stages:
        raise ValueError(
            f"width={widths}: data.resolution={resolution} has {stages} stages: give one number, "
            f"or {stages} numbers"
        )
    return widths


class R3GANGenerator(Generator):
    """A learned basis of 4x4 maps weighted by z, then residual blocks and filtered upsampling.

    Huang et al., 2024, section 3.4 and appendix. Images are clipped to [-1, 1] in evaluation mode.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters.
        resample_filter: taps of the low-pass filter of resampling; 1 3 3 1 in the authors' code.
        width: channels, one number for all resolutions or one for each of 4, 8, ... pixels.
        group_size: channels per group of the 3x3 convolutions.
        expansion: channels inside a block, as a multiple of its width.
        depth: blocks per resolution.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        resample_filter: Sequence[float],
        width: int | Sequence[int] = 768,
        group_size: int = 16,
        expansion: int = 2,
        depth: int = 2,
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        widths = _stage_widths(width, resolution)
        self.basis = nn.Parameter(torch.randn(widths[0], BASE, BASE))
        self.weigh = _initialized(nn.Linear(self.entry.width, widths[0], bias=False))
        layers: list[nn.Module] = []
        for before, after in pairwise([widths[0], *widths]):
            if layers:
                if before != after:
                    layers.append(_pointwise(before, after))
                layers.append(Upsample(resample_filter))
            groups = after * expansion // group_size
            layers += _residual_blocks(after, groups, expansion, depth, len(widths))
        self.layers = nn.Sequential(*layers, _pointwise(widths[-1], channels))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W), in [-1, 1] in evaluation mode."""
        coefficients = self.weigh(self.entry(z, y))
        images: Tensor = self.layers(self.basis * coefficients[:, :, None, None])
        return images if self.training else images.clamp(-1, 1)


class R3GANDiscriminator(Discriminator):
    """The layers of the generator in reverse order, then a depthwise 4x4 convolution to features.

    Huang et al., 2024, section 3.4 and appendix.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters.
        resample_filter: taps of the low-pass filter of resampling; 1 3 3 1 in the authors' code.
        width: channels, one number for all resolutions or one for each of 4, 8, ... pixels.
        group_size: channels per group of the 3x3 convolutions.
        expansion: channels inside a block, as a multiple of its width.
        depth: blocks per resolution.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        resample_filter: Sequence[float],
        width: int | Sequence[int] = 768,
        group_size: int = 16,
        expansion: int = 2,
        depth: int = 2,
    ) -> None:
        super().__init__()
        widths = _stage_widths(width, resolution)[::-1]
        layers: list[nn.Module] = [_pointwise(channels, widths[0])]
        for before, after in pairwise([*widths, widths[-1]]):
            groups = before * expansion // group_size
            layers += _residual_blocks(before, groups, expansion, depth, len(widths))
            layers.append(Downsample(resample_filter))
            if before != after:
                layers.append(_pointwise(before, after))
        last = widths[-1]
        layers[-1] = _initialized(nn.Conv2d(last, last, BASE, groups=last, bias=False))
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.build_head(last, conditioning)
        self.head.replace_linear(
            lambda before, after: _initialized(nn.Linear(before, after, bias=False))
        )

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, F) of images (B, C, H, W)."""
        h: Tensor = self.layers(x)
        return h
