"""The residual translator of CycleGAN (Zhu et al., 2017), after Johnson et al., 2016."""

from typing import Any

from torch import Tensor, nn

from gan.errors import InputError
from gan.layers.filtering import Downsample, Upsample
from gan.networks.base import Translator
from gan.networks.patch import initialize


class ResidualBlock(nn.Module):
    """x + f(x) with two 3x3 convolutions, reflect padding and instance normalisation.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(width, width), nn.ReLU(), *_convolution(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps of the same shape."""
        h: Tensor = x + self.layers(x)
        return h


def _convolution(before: int, after: int, size: int = 3) -> list[nn.Module]:
    """Return reflect padding, a convolution and instance normalisation."""
    return [
        nn.ReflectionPad2d(size // 2),
        nn.Conv2d(before, after, size),
        nn.InstanceNorm2d(after),
    ]


def _halve(width: int, antialias: bool) -> list[nn.Module]:
    """Return layers that halve the resolution and double the channels."""
    stride = 1 if antialias else 2
    layers = [nn.Conv2d(width, 2 * width, 3, stride, 1), nn.InstanceNorm2d(2 * width), nn.ReLU()]
    return [*layers, Downsample((1, 2, 1))] if antialias else layers


def _double(width: int, antialias: bool) -> list[nn.Module]:
    """Return layers that double the resolution and halve the channels."""
    after = width // 2
    if antialias:
        upsampling: list[nn.Module] = [Upsample(), nn.Conv2d(width, after, 3, 1, 1)]
    else:
        upsampling = [nn.ConvTranspose2d(width, after, 3, 2, 1, output_padding=1)]
    return [*upsampling, nn.InstanceNorm2d(after), nn.ReLU()]


class ResNetTranslator(Translator):
    """Two halvings, residual blocks and two doublings, of images of any size divisible by 4.

    Args:
        channels: of the images of both domains.
        width: channels after the first convolution.
        blocks: residual blocks, at least 1; the paper has 6 below 256 pixels and 9 from there on.
        antialias: low-pass filters at each change of resolution, as in CUT (Zhang, 2019).

    Attributes:
        taps: layers of the encoder whose maps :meth:`features` returns.

    Raises:
        ValueError: if there is no block.
    """

    convolutional = True

    def __init__(
        self, channels: int, width: int = 64, blocks: int = 9, antialias: bool = False
    ) -> None:
        super().__init__()
        if blocks < 1:
            raise ValueError(f"model.generator: blocks={blocks}: give a number from 1")
        first = [*_convolution(channels, width, 7), nn.ReLU()]
        halvings = [_halve(width, antialias), _halve(2 * width, antialias)]
        inner = [ResidualBlock(4 * width) for _ in range(blocks)]
        self.encoder = nn.Sequential(*first, *halvings[0], *halvings[1], *inner)
        starts = [0, len(first), len(first) + len(halvings[0]), len(self.encoder) - blocks]
        self.taps = [*starts, starts[-1] + blocks // 2]
        self.decoder = nn.Sequential(
            *_double(4 * width, antialias),
            *_double(2 * width, antialias),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, channels, 7),
            nn.Tanh(),
        )
        self.apply(initialize)

    def forward(self, x: Tensor) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1] of images (B, C, H, W).

        Raises:
            InputError: if height or width is no multiple of 4.
        """
        height, width = x.shape[2:]
        if height % 4 or width % 4:
            raise InputError(
                f"images of {height}x{width} pixels: this network takes multiples of 4: set "
                "data.resolution to one"
            )
        images: Tensor = self.decoder(self.encoder(x))
        return images

    def forward_with_features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return images (B, C, H, W) in [-1, 1], and the maps of :meth:`features`."""
        maps = self.features(x)
        images: Tensor = self.decoder(self.encoder[self.taps[-1] + 1 :](maps[-1]))
        return images, maps

    def features(self, x: Tensor) -> list[Tensor]:
        """Return five maps (B, F, h, w) of the encoder (Park et al., 2020, appendix C).

        They are the padded image, the convolution of each halving, the first residual block and the
        one in the middle; with 9 blocks and low-pass filters these are layers 0, 4, 8, 12 and 16 of
        the authors' network. F is C, 2, 4, 4 and 4 times the width.
        """
        maps = []
        for index, layer in enumerate(self.encoder[: self.taps[-1] + 1]):
            x = layer(x)
            maps += [x] * self.taps.count(index)  # of one block, both of its maps
        return maps


class Translators(nn.ModuleDict):
    """The two networks of a cycle: "ab" and "ba".

    Args:
        ab: A to B.
        ba: B to A.
    """

    def __init__(self, ab: Translator, ba: Translator) -> None:
        super().__init__({"ab": ab, "ba": ba})

    def compile(self, *args: Any, **options: Any) -> None:
        """Compile both networks."""
        for network in self.values():
            network.compile(*args, **options)
