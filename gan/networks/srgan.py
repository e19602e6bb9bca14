"""The networks of SRGAN (Ledig et al., 2017)."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.conditioning.base import Unconditional
from gan.networks.base import Discriminator, Translator, smallest_maps

_HALVINGS = 4  # at most, of the discriminator
_MOST = 8  # times the width of the first layer


class ResidualBlock(nn.Module):
    """x + f(x) with two 3x3 convolutions, batch normalisation and PReLU.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_convolution(width), nn.PReLU(), *_convolution(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps of the same shape."""
        h: Tensor = x + self.layers(x)
        return h


def _convolution(width: int) -> list[nn.Module]:
    """Return a 3x3 convolution and batch normalisation."""
    return [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]


def _double(width: int) -> list[nn.Module]:
    """Return layers that double the resolution by sub-pixel convolution (Shi et al., 2016)."""
    return [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]


class SRResNet(Translator):
    """Residual blocks at the resolution of the source, then sub-pixel upsampling.

    It takes sources of any size. Deviation: the last layer is followed by tanh.

    Args:
        channels: of source and image.
        scale: height of an image over that of its source, a power of two from 1.
        width: channels.
        blocks: residual blocks.

    Raises:
        ValueError: if ``scale`` is no power of two.
    """

    convolutional = True

    def __init__(self, channels: int, scale: int = 4, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        doublings = scale.bit_length() - 1
        if scale != 1 << doublings:
            raise ValueError(f"task.factor={scale}: srgan takes 2, 4 or 8")
        self.scale = scale
        self.first = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(
            *(ResidualBlock(width) for _ in range(blocks)), *_convolution(width)
        )
        self.last = nn.Sequential(
            *(layer for _ in range(doublings) for layer in _double(width)),
            nn.Conv2d(width, channels, 9, padding=4),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return images (B, C, scale H, scale W) in [-1, 1] of sources (B, C, H, W)."""
        h = self.first(x)
        images: Tensor = self.last(h + self.blocks(h))
        return images


class SRDiscriminator(Discriminator):
    """Pairs of 3x3 convolutions, the second of stride 2, and two linear layers, as VGG.

    Args:
        channels: of the images.
        resolution: height and width of the images.
        norm: function of the number of channels that returns a normalisation layer, used after each
            convolution but the first.
        width: channels of the first pair; they double up to eight times this.
        hidden: units of the linear layer before the logit.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        width: int = 64,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        _, halvings = smallest_maps(resolution)
        stages = min(halvings, _HALVINGS)
        widths = [channels, *(width * min(1 << stage, _MOST) for stage in range(stages))]
        layers: list[nn.Module] = []
        for stage, (before, after) in enumerate(pairwise(widths)):
            layers += _normalised(before, after, 1, norm if stage else nn.Identity)
            layers += _normalised(after, after, 2, norm)
        side = resolution >> stages
        layers += [nn.Flatten(), nn.Linear(widths[-1] * side**2, hidden), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.build_head(hidden, Unconditional())

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, hidden) of images (B, C, H, W)."""
        h: Tensor = self.layers(x)
        return h


def _normalised(
    before: int, after: int, stride: int, norm: Callable[[int], nn.Module]
) -> list[nn.Module]:
    """Return a 3x3 convolution, a normalisation layer and leaky ReLU."""
    bias = not isinstance(norm(1), _BatchNorm)
    return [nn.Conv2d(before, after, 3, stride, 1, bias=bias), norm(after), nn.LeakyReLU(0.2)]
