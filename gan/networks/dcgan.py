"""DCGAN (Radford et al., 2016)."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.minibatch import Alone
from gan.networks.base import Discriminator, Generator, smallest_maps


def _widths(width: int, halvings: int) -> list[int]:
    """Return the number of feature maps after each halving of the resolution."""
    if width < 1:
        raise ValueError(f"dcgan: width={width}: give a number from 1")
    return [width << stage for stage in range(halvings)]


def initialize(module: nn.Module) -> None:
    """Initialize weights from N(0, 0.02), gains of batch normalisation from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def halving_layers(
    channels: int, width: int, halvings: int, norm: Callable[[int], nn.Module]
) -> list[nn.Module]:
    """Return convolutions with stride 2 and leaky ReLU, which double the feature maps each time.

    Args:
        channels: of the images.
        width: feature maps after the first convolution.
        halvings: number of convolutions.
        norm: function of the number of channels that returns a normalisation layer, used after
            each convolution except the first.
    """
    widths = _widths(width, halvings)
    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
    ]
    for before, after in pairwise(widths):
        layers += [
            nn.Conv2d(before, after, 4, stride=2, padding=1),
            norm(after),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return layers


class DCGANGenerator(Generator):
    """A linear layer, then transposed convolutions with stride 2 and batch normalisation.

    The linear layer gives maps of 4x4 pixels, as in the paper, where the resolution is a power of
    two, and of up to 7x7 elsewhere, such as 7x7 at 28 pixels.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, 4 to 7 times a power of two from 2.
        conditioning: how the label enters.
        width: feature maps before the last layer; each halving of the resolution doubles it.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        side, halvings = smallest_maps(resolution)
        widths = _widths(width, halvings)[::-1]
        layers: list[nn.Module] = [
            nn.Linear(self.entry.width, widths[0] * side**2, bias=False),
            nn.Unflatten(1, (widths[0], side, side)),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        for before, after in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        last = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())
        self.apply(initialize)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        images: Tensor = self.layers(self.entry(z, y))
        return images


class DCGANDiscriminator(Discriminator):
    """Convolutions with stride 2 down to the smallest maps and leaky ReLU, then one logit.

    The smallest maps have the size of the generator's first ones.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, 4 to 7 times a power of two from 2.
        conditioning: how the label enters.
        norm: function of the number of channels that returns a normalisation layer, used after
            each convolution except the first; the paper uses batch normalisation.
        width: feature maps after the first layer; each halving of the resolution doubles it.
        minibatch: function of the size of the features that returns the layer that compares the
            images of a batch.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        width: int = 64,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        side, halvings = smallest_maps(resolution)
        layers = halving_layers(channels, width, halvings, norm)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.build_head((width << halvings - 1) * side**2, conditioning, minibatch)
        self.apply(initialize)

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, F): the last feature maps, flattened."""
        h: Tensor = self.layers(x)
        return h
