"""StyleGAN2 (Karras et al., 2020a), and its plain variant for CIFAR-10 (Karras et al., 2020b)."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan.conditioning.base import Conditioning
from gan.layers.deviation import MinibatchStdDev
from gan.layers.equalised import EqualisedConv2d, EqualisedLinear
from gan.layers.filtering import BINOMIAL, Downsample, Upsample
from gan.layers.modulation import ModulatedConv2d
from gan.layers.noise import PixelNoise
from gan.networks.base import BASE, Discriminator, halvings
from gan.networks.style import StyleGenerator


def stage_widths(resolution: int, capacity: int, most: int) -> list[int]:
    """Return the feature maps at 4, 8, ... pixels: capacity over pixels a side, bounded."""
    sides = [BASE << stage for stage in range(halvings(resolution) + 1)]
    return [max(min(capacity // side, most), 1) for side in sides]


def scaled_leaky_relu(x: Tensor) -> Tensor:
    """Return leaky rectified maps of the same power."""
    return leaky_relu(x, 0.2) * math.sqrt(2)


class StyledLayer(nn.Module):
    """A modulated convolution, noise, bias and a leaky rectifier.

    Args:
        before: channels that come in.
        after: channels that go out.
        resolution: of the maps that go out.
        style_dim: numbers in w.
        up: the maps that come in have half the resolution.
    """

    def __init__(
        self, before: int, after: int, resolution: int, style_dim: int, up: bool = False
    ) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(before, after, 3, style_dim, up=up)
        self.noise = PixelNoise(resolution)
        self.bias = nn.Parameter(torch.zeros(after, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return maps (B, after, resolution, resolution) under styles w (B, style_dim)."""
        maps = self.noise(self.convolution(x, w))
        return scaled_leaky_relu(maps + self.bias.to(maps.dtype))


class ToImage(nn.Module):
    """Feature maps to colours, under a style that scales but does not normalise."""

    def __init__(self, before: int, channels: int, style_dim: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(before, channels, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return images (B, channels, H, W) under styles w (B, style_dim)."""
        images: Tensor = self.convolution(x, w)
        return images + self.bias.to(images.dtype)


class StyleGAN2Generator(StyleGenerator):
    """Demodulated convolutions from a learned constant, and images summed over resolutions.

    Two layers at each resolution but one at 4 pixels; with ``skip`` the image of each resolution is
    added to that of the one before (fig. 7b), else the last alone counts (fig. 7a). A layer and the
    image of the resolution below it hear the same style.

    Args:
        latent_dim: numbers in z.
        channels: of the images.
        resolution: height and width of the images, a power of two from 8.
        conditioning: how the label enters the mapping network.
        style_dim: numbers in w.
        depth: layers of the mapping network.
        mixing: probability that an image of training has two styles.
        capacity: feature maps times pixels a side.
        most: feature maps at most.
        skip: sum the images of all resolutions.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        style_dim: int = 512,
        depth: int = 8,
        mixing: float = 0.9,
        capacity: int = 16384,
        most: int = 512,
        skip: bool = True,
    ) -> None:
        super().__init__()
        widths = stage_widths(resolution, capacity, most)
        layers = 2 * len(widths)
        self.build_mapping(latent_dim, conditioning, style_dim, depth, layers, mixing)
        self.constant = nn.Parameter(torch.randn(widths[0], BASE, BASE))
        self.first = StyledLayer(widths[0], widths[0], BASE, style_dim)
        self.rise, self.keep = nn.ModuleList(), nn.ModuleList()
        for stage, (before, after) in enumerate(pairwise(widths), 1):
            self.rise.append(StyledLayer(before, after, BASE << stage, style_dim, up=True))
            self.keep.append(StyledLayer(after, after, BASE << stage, style_dim))
        self.skip, self.upsample = skip, Upsample()
        painters = widths if skip else widths[-1:]
        self.to_image = nn.ModuleList(ToImage(width, channels, style_dim) for width in painters)

    def compute_images(self, styles: Tensor) -> Tensor:
        """Return unbounded images (B, C, H, W) from styles (B, layers, style_dim)."""
        w = styles.unbind(1)
        x = self.first(self.constant.expand(len(styles), -1, -1, -1), w[0])
        images = self.to_image[0](x, w[1]) if self.skip else None
        for stage, (rise, keep) in enumerate(zip(self.rise, self.keep, strict=True), 1):
            x = keep(rise(x, w[2 * stage - 1]), w[2 * stage])
            if images is not None:
                images = self.upsample(images) + self.to_image[stage](x, w[2 * stage + 1])
        finished: Tensor = self.to_image[0](x, w[-1]) if images is None else images
        return finished


class DownBlock(nn.Module):
    """Two convolutions down to half the resolution, with or without a shortcut.

    Args:
        before: channels that come in.
        after: channels that go out.
        residual: add the maps that come in, of the same power in sum.
        taps: of the low-pass filter.
    """

    def __init__(
        self, before: int, after: int, residual: bool, taps: Sequence[float] = BINOMIAL
    ) -> None:
        super().__init__()
        self.first = EqualisedConv2d(before, before, 3)
        self.second = EqualisedConv2d(before, after, 3)
        self.shortcut = EqualisedConv2d(before, after, 1, bias=False) if residual else None
        self.downsample = Downsample(taps)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, after, H/2, W/2) from (B, before, H, W)."""
        maps = scaled_leaky_relu(
            self.downsample.conv2d_downsample(scaled_leaky_relu(self.first(x)), self.second)
        )
        if self.shortcut is None:
            return maps
        return (maps + self.downsample.conv2d_downsample(x, self.shortcut)) * math.sqrt(0.5)


class StyleGAN2Discriminator(Discriminator):
    """Convolutions with equalised learning rate down to 4x4 and the minibatch deviation.

    Args:
        channels: of the images.
        resolution: height and width of the images, a power of two from 8.
        conditioning: how the label enters.
        capacity: feature maps times pixels a side.
        most: feature maps at most.
        residual: blocks with shortcuts (fig. 7c), else without (fig. 7a).
        group: images over which the deviation is taken; 1 leaves it out.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        capacity: int = 16384,
        most: int = 512,
        residual: bool = True,
        group: int = 4,
    ) -> None:
        super().__init__()
        widths = stage_widths(resolution, capacity, most)[::-1]
        self.from_image = EqualisedConv2d(channels, widths[0], 1)
        self.blocks = nn.ModuleList(DownBlock(*pair, residual) for pair in pairwise(widths))
        self.last = DiscriminatorEpilogue(widths[-1], group)
        self.build_head(widths[-1], conditioning)
        self.head.replace_linear(EqualisedLinear)

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, F) of images (B, C, H, W)."""
        h = scaled_leaky_relu(self.from_image(x))
        for block in self.blocks:
            h = block(h)
        features: Tensor = self.last(h)
        return features


class DiscriminatorEpilogue(nn.Module):
    """From maps of 4x4 to features: minibatch deviation, a convolution and a full connection.

    Args:
        width: channels that come in, and features that go out.
        group: images over which the deviation is taken; 1 leaves it out.
    """

    def __init__(self, width: int, group: int) -> None:
        super().__init__()
        self.deviation = MinibatchStdDev(group) if group > 1 else nn.Identity()
        self.convolution = EqualisedConv2d(width + (group > 1), width, 3)
        self.linear = EqualisedLinear(width * BASE**2, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, width) from maps (B, width, 4, 4)."""
        maps = scaled_leaky_relu(self.convolution(self.deviation(x)))
        return scaled_leaky_relu(self.linear(maps.flatten(1)))
