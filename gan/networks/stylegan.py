"""StyleGAN (Karras et al., 2019)."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan.conditioning.base import Conditioning
from gan.layers.activation import scaled_leaky_relu
from gan.layers.equalised import EqualisedConv2d, EqualisedLinear
from gan.layers.filtering import BoxDownsample, BoxUpsample, Downsample, Upsample
from gan.layers.modulation import AdaIN
from gan.layers.noise import PixelNoise
from gan.networks.base import BASE, Discriminator
from gan.networks.growing import Growing, downscale, repeat_pixels
from gan.networks.style import StyleGenerator
from gan.networks.stylegan2 import DiscriminatorEpilogue, DownBlock, stage_widths
from gan.schedules import Growth

BLUR = (1.0, 2.0, 1.0)


class LayerEpilogue(nn.Module):
    """Noise, bias, leaky ReLU and AdaIN, after each convolution of the generator.

    Args:
        channels: channels of the feature maps.
        resolution: height and width of the feature maps.
        style_dim: dimension of w.
        epsilon: added to the variance of a feature map in AdaIN.
    """

    def __init__(self, channels: int, resolution: int, style_dim: int, epsilon: float) -> None:
        super().__init__()
        self.noise = PixelNoise(resolution, channels)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.norm = AdaIN(channels, style_dim, epsilon)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return maps of the shape of x, (B, channels, H, W), for styles w, (B, style_dim)."""
        maps: Tensor = self.norm(leaky_relu(self.noise(x) + self.bias.to(x.dtype), 0.2), w)
        return maps


class SynthesisBlock(nn.Module):
    """Two convolutions with styles, the first one with upsampling by 2.

    Args:
        before: input channels.
        after: output channels.
        resolution: height and width of the output.
        upsample: how the first convolution upsamples.
        epilogue: function of channels and resolution that returns what follows a convolution.
    """

    def __init__(
        self,
        before: int,
        after: int,
        resolution: int,
        upsample: Upsample | BoxUpsample,
        epilogue: Callable[[int, int], LayerEpilogue],
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.first = EqualisedConv2d(before, after, 3, bias=False)
        self.second = EqualisedConv2d(after, after, 3, bias=False)
        self.styled = nn.ModuleList(epilogue(after, resolution) for _ in range(2))

    def forward(self, x: Tensor, w: tuple[Tensor, ...]) -> Tensor:
        """Return maps (B, after, 2H, 2W) from (B, before, H, W) and two styles (B, style_dim)."""
        weight = self.first.weight * self.first.gain
        maps = self.styled[0](self.upsample.upsample_conv2d(x, weight), w[0])
        styled: Tensor = self.styled[1](self.second(maps), w[1])
        return styled


class StyleGANGenerator(StyleGenerator, Growing):
    """The synthesis network of StyleGAN with AdaIN, a constant input and progressive growing.

    Upsampling repeats pixels, convolves and blurs, as in the authors' code. Deviation: the gain
    sqrt(2) of their weights is left out, which instance normalisation cancels: biases and noise
    strengths count sqrt(2) times as much. Their mapping network has that gain in its weights, not
    in its activations.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters the mapping network.
        growth: resolution as a function of images seen.
        box: repeat pixels before the blur; without, zeros are inserted, as in earlier versions.
        epsilon: added to variances in AdaIN; 1e-8 in the authors' code, 1e-5 in earlier versions.
        style_dim: dimension of w.
        depth: layers of the mapping network.
        mixing: probability that a training image mixes two styles.
        capacity: feature maps times height; the feature maps at resolution R are capacity / R.
        most: maximum number of feature maps.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        growth: Growth,
        box: bool,
        epsilon: float,
        style_dim: int = 512,
        depth: int = 8,
        mixing: float = 0.9,
        capacity: int = 16384,
        most: int = 512,
    ) -> None:
        super().__init__()
        self.start_growth(growth)
        widths = stage_widths(resolution, capacity, most)
        epilogue = partial(LayerEpilogue, style_dim=style_dim, epsilon=epsilon)
        layers, upsample = 2 * len(widths), BoxUpsample if box else Upsample
        self.build_mapping(latent_dim, conditioning, style_dim, depth, layers, mixing)
        self.constant = nn.Parameter(torch.ones(widths[0], BASE, BASE))
        self.convolution = EqualisedConv2d(widths[0], widths[0], 3, bias=False)
        self.styled = nn.ModuleList(epilogue(widths[0], BASE) for _ in range(2))
        self.blocks = nn.ModuleList(
            SynthesisBlock(*pair, BASE << stage, upsample(BLUR), epilogue)
            for stage, pair in enumerate(pairwise(widths), 1)
        )
        images = [EqualisedConv2d(width, channels, 1) for width in widths[self.first_stage :]]
        self.to_image = nn.ModuleList(images)

    def compute_images(self, styles: Tensor) -> Tensor:
        """Return unbounded images (B, C, H, W); pixels are repeated if the resolution is lower."""
        w = styles.unbind(1)
        x = self.styled[0](self.constant.expand(styles.shape[0], -1, -1, -1), w[0])
        x = before = self.styled[1](self.convolution(x), w[1])
        for stage, block in enumerate(self.blocks[: self.last_stage], 1):
            before, x = x, block(x, w[2 * stage : 2 * stage + 2])
        last = self.last_stage - self.first_stage
        images: Tensor = self.to_image[last](x)
        if self.alpha < 1:
            images = torch.lerp(
                repeat_pixels(self.to_image[last - 1](before), 2), images, self.alpha
            )
        return repeat_pixels(images, 1 << (len(self.blocks) - self.last_stage))

    def match_resolution(self, real: Tensor) -> Tensor:
        """Return real images with the detail of the generator's present resolution and fade-in."""
        factor = 1 << (len(self.blocks) - self.last_stage)
        images = downscale(real, factor)
        if self.alpha < 1:
            images = torch.lerp(repeat_pixels(downscale(images, 2), 2), images, self.alpha)
        return repeat_pixels(images, factor)


class StyleGANDiscriminator(Discriminator, Growing):
    """Convolutions with equalised learning rate down to 4x4, with progressive growing.

    Downsampling blurs, convolves and averages pixels, as in the authors' code. Deviation: the gain
    sqrt(2) is in the activations, as in StyleGAN2, not in the weights: biases count sqrt(2) times
    as much.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters.
        growth: resolution as a function of images seen, the same as the generator's.
        box: average pixels after the blur; without, every second one is kept, as in earlier
            versions.
        capacity: feature maps times height; the feature maps at resolution R are capacity / R.
        most: maximum number of feature maps.
        group: images per group of the minibatch standard deviation; 1 removes that layer.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        growth: Growth,
        box: bool,
        capacity: int = 16384,
        most: int = 512,
        group: int = 4,
    ) -> None:
        super().__init__()
        self.start_growth(growth)
        widths = stage_widths(resolution, capacity, most)
        downsample = BoxDownsample if box else Downsample
        self.from_image = nn.ModuleList(
            EqualisedConv2d(channels, width, 1) for width in widths[self.first_stage :]
        )
        self.blocks = nn.ModuleList(
            DownBlock(after, before, residual=False, downsample=downsample(BLUR))
            for before, after in pairwise(widths)
        )
        self.last = DiscriminatorEpilogue(widths[0], group)
        self.build_head(widths[0], conditioning)
        self.head.replace_linear(EqualisedLinear)

    def layers_from_image(self) -> list[nn.ModuleList]:
        """Return the layers on images of all resolutions as one, then the blocks and the last."""
        blocks = [nn.ModuleList([block]) for block in [*self.blocks][::-1]]
        return [self.from_image, *blocks, nn.ModuleList([self.last])]

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, F) of images (B, C, H, W), downscaled to the present resolution."""
        images = downscale(x, 1 << (len(self.blocks) - self.last_stage))
        last = self.last_stage - self.first_stage
        h = scaled_leaky_relu(self.from_image[last](images))
        for stage in range(self.last_stage, 0, -1):
            h = self.blocks[stage - 1](h)
            if stage == self.last_stage and self.alpha < 1:
                before = scaled_leaky_relu(self.from_image[last - 1](downscale(images, 2)))
                h = torch.lerp(before, h, self.alpha)
        features: Tensor = self.last(h)
        return features
