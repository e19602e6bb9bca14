"""StyleGAN2 (Karras et al., 2020a) and its variant for CIFAR-10 (Karras et al., 2020b)."""

import math
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.errors import InputError
from gan.layers.activation import clamped, scaled_leaky_relu
from gan.layers.deviation import MinibatchStdDev
from gan.layers.equalised import EqualisedConv2d, EqualisedLinear
from gan.layers.filtering import BoxDownsample, Downsample, Upsample
from gan.layers.modulation import ModulatedConv2d
from gan.layers.noise import PixelNoise
from gan.networks.base import BASE, Discriminator, halvings
from gan.networks.style import StyleGenerator


def stage_widths(resolution: int, capacity: int, most: int) -> list[int]:
    """Return the feature maps at 4, 8, ... pixels: capacity / height, at most ``most``."""
    sides = [BASE << stage for stage in range(halvings(resolution) + 1)]
    return [max(min(capacity // side, most), 1) for side in sides]


def _check_clamp(limit: float | None) -> None:
    """Refuse a limit that leaves nothing.

    Raises:
        InputError: if it is not positive.
    """
    if limit is not None and limit <= 0:
        raise InputError(f"model: conv_clamp={limit}: give a positive number, or null for none")


class StyledLayer(nn.Module):
    """A modulated convolution, noise, bias and leaky ReLU.

    Args:
        before: input channels.
        after: output channels.
        resolution: height and width of the output.
        style_dim: dimension of w.
        up: upsample by 2.
        conv_clamp: largest absolute output, or ``None``.
    """

    def __init__(
        self,
        before: int,
        after: int,
        resolution: int,
        style_dim: int,
        up: bool = False,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.convolution = ModulatedConv2d(before, after, 3, style_dim, up=up)
        self.noise = PixelNoise(resolution)
        self.bias = nn.Parameter(torch.zeros(after, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return maps (B, after, resolution, resolution) from x and styles w, (B, style_dim)."""
        maps = self.convolution(x, w)
        shifts = self.bias.to(maps.dtype), self.noise.shift(maps)
        return scaled_leaky_relu(maps, self.conv_clamp, *shifts)


class ToImage(nn.Module):
    """A modulated 1x1 convolution from feature maps to images, without demodulation.

    Args:
        before: input channels.
        channels: channels of the images.
        style_dim: dimension of w.
        conv_clamp: largest absolute output, or ``None``.
    """

    def __init__(
        self, before: int, channels: int, style_dim: int, conv_clamp: float | None = None
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.convolution = ModulatedConv2d(before, channels, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return images (B, channels, H, W) from x and styles w, (B, style_dim)."""
        images: Tensor = self.convolution(x, w)
        return clamped(images + self.bias.to(images.dtype), self.conv_clamp)


class StyleGAN2Generator(StyleGenerator):
    """The synthesis network of StyleGAN2, with modulated convolutions and a constant input.

    It has two layers per resolution, and one at 4 pixels. With ``skip``, the images of all
    resolutions are summed (fig. 7b); otherwise, the last resolution gives the image (fig. 7a). The
    image layer of a resolution uses the same style as the first layer of the next resolution.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters the mapping network.
        style_dim: dimension of w.
        depth: layers of the mapping network.
        mixing: probability that a training image mixes two styles.
        capacity: feature maps times height; the feature maps at resolution R are capacity / R.
        most: maximum number of feature maps.
        skip: sum the images of all resolutions.
        conv_clamp: largest absolute output of a convolution, after its activation, or ``None``.
            It keeps float16 from overflowing, and acts in each precision, as in the authors' code.

    Raises:
        InputError: if an argument is out of range.
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
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        _check_clamp(conv_clamp)
        widths = stage_widths(resolution, capacity, most)
        self.build_mapping(latent_dim, conditioning, style_dim, depth, 2 * len(widths), mixing)
        self.constant = nn.Parameter(torch.randn(widths[0], BASE, BASE))
        layer = partial(StyledLayer, style_dim=style_dim, conv_clamp=conv_clamp)
        self.first = layer(widths[0], widths[0], BASE)
        self.rise, self.keep = nn.ModuleList(), nn.ModuleList()
        for stage, (before, after) in enumerate(pairwise(widths), 1):
            self.rise.append(layer(before, after, BASE << stage, up=True))
            self.keep.append(layer(after, after, BASE << stage))
        self.skip, self.upsample = skip, Upsample()
        image_widths = widths if skip else widths[-1:]
        self.to_image = nn.ModuleList(
            ToImage(width, channels, style_dim, conv_clamp) for width in image_widths
        )

    def compute_images(self, styles: Tensor) -> Tensor:
        """Return unbounded images (B, C, H, W) from styles (B, layers, style_dim)."""
        w = styles.unbind(1)
        x = self.first(self.constant.expand(styles.shape[0], -1, -1, -1), w[0])
        images = self.to_image[0](x, w[1]) if self.skip else None
        for stage, (rise, keep) in enumerate(zip(self.rise, self.keep, strict=True), 1):
            x = keep(rise(x, w[2 * stage - 1]), w[2 * stage])
            if images is not None:
                images = self.upsample(images) + self.to_image[stage](x, w[2 * stage + 1])
        output: Tensor = self.to_image[0](x, w[-1]) if images is None else images
        return output


class DownBlock(nn.Module):
    """Two convolutions, the second one with downsampling by 2; a residual connection is optional.

    Args:
        before: input channels.
        after: output channels.
        residual: add a residual connection; the sum is scaled by sqrt(1/2).
        downsample: how the second convolution downsamples; with the filter 1 3 3 1 by default.
        conv_clamp: largest absolute output of the two convolutions, or ``None``.
    """

    def __init__(
        self,
        before: int,
        after: int,
        residual: bool,
        downsample: Downsample | BoxDownsample | None = None,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.first = EqualisedConv2d(before, before, 3)
        self.second = EqualisedConv2d(before, after, 3)
        self.shortcut = EqualisedConv2d(before, after, 1, bias=False) if residual else None
        self.downsample = downsample or Downsample()

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, after, H/2, W/2) from (B, before, H, W)."""
        maps = scaled_leaky_relu(self.first(x), self.conv_clamp)
        maps = self.downsample.conv2d_downsample(maps, self.second)
        maps = scaled_leaky_relu(maps, self.conv_clamp)
        if self.shortcut is None:
            return maps
        return (maps + self.downsample.conv2d_downsample(x, self.shortcut)) * math.sqrt(0.5)


class StyleGAN2Discriminator(Discriminator):
    """Convolutions with equalised learning rate down to 4x4, with minibatch standard deviation.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters.
        capacity: feature maps times height; the feature maps at resolution R are capacity / R.
        most: maximum number of feature maps.
        residual: residual connections (fig. 7c); otherwise plain blocks (fig. 7a).
        group: images per group of the minibatch standard deviation; 1 removes that layer.
        conv_clamp: largest absolute output of a convolution, as in the generator, or ``None``.

    Raises:
        InputError: if an argument is out of range.
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
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        _check_clamp(conv_clamp)
        self.conv_clamp = conv_clamp
        widths = stage_widths(resolution, capacity, most)[::-1]
        self.from_image = EqualisedConv2d(channels, widths[0], 1)
        self.blocks = nn.ModuleList(
            DownBlock(*pair, residual, conv_clamp=conv_clamp) for pair in pairwise(widths)
        )
        self.last = DiscriminatorEpilogue(widths[-1], group, conv_clamp)
        self.build_head(widths[-1], conditioning)
        self.head.replace_linear(EqualisedLinear)

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, F) of images (B, C, H, W)."""
        h = scaled_leaky_relu(self.from_image(x), self.conv_clamp)
        for block in self.blocks:
            h = block(h)
        features: Tensor = self.last(h)
        return features


class DiscriminatorEpilogue(nn.Module):
    """Minibatch standard deviation, a convolution and a linear layer, from 4x4 maps to features.

    Args:
        width: input channels, and size of the features.
        group: images per group of the minibatch standard deviation; 1 removes that layer.
        conv_clamp: largest absolute output of the convolution, or ``None``.
    """

    def __init__(self, width: int, group: int, conv_clamp: float | None = None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.deviation = MinibatchStdDev(group) if group > 1 else nn.Identity()
        self.convolution = EqualisedConv2d(width + (group > 1), width, 3)
        self.linear = EqualisedLinear(width * BASE**2, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, width) from feature maps (B, width, 4, 4)."""
        maps = scaled_leaky_relu(self.convolution(self.deviation(x)), self.conv_clamp)
        return scaled_leaky_relu(self.linear(maps.flatten(1)))
