"""Convolutional networks of ALI (Dumoulin et al., 2017, appendix A)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.maxout import Maxout
from gan.layers.minibatch import Alone
from gan.networks.base import initialize_weights, smallest_maps
from gan.networks.joint import JointDiscriminator, JointEncoder

_LEAK = 0.1
_PIECES = 2  # affine functions of a maxout unit


def _widths(channels: int, width: int, halvings: int) -> list[int]:
    """Return the channels of the images, and the feature maps after each halving."""
    if width < 1:
        raise ValueError(f"ali: width={width}: give a number from 1")
    return [channels, *(width << stage for stage in range(halvings))]


class ALIEncoder(JointEncoder):
    """Convolutions with stride 2, batch normalisation and leaky ReLU; a normal distribution of z.

    Deviation from the paper: kernels of 4 pixels with stride 2 down to maps of 4 to 7 pixels, at
    any resolution; the paper has a net of its own for each data set.

    Args:
        latent_dim: dimension of the latents.
        channels: channels of the images.
        resolution: height and width of the images, 4 to 7 times a power of two from 2.
        width: feature maps after the first layer; each halving of the resolution doubles it.
    """

    def __init__(self, latent_dim: int, channels: int, resolution: int, width: int = 64) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        side, halvings = smallest_maps(resolution)
        widths, layers = _widths(channels, width, halvings), list[nn.Module]()
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
                *(nn.BatchNorm2d(after), nn.LeakyReLU(_LEAK)),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.last = nn.Linear(widths[-1] * side**2, 2 * latent_dim)
        initialize_weights(self, lambda weight: nn.init.normal_(weight, std=0.02))

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance, each (B, latent_dim)."""
        mean, log_variance = self.last(self.layers(x)).chunk(2, dim=1)
        return mean, log_variance

    def mean(self, x: Tensor) -> Tensor:
        """Return the means (B, latent_dim) of the latents of images (B, C, H, W)."""
        return self.moments(x)[0]

    def draw(self, x: Tensor, noise: Tensor) -> Tensor:
        """Return latents mean + deviation * noise, (B, latent_dim), of images (B, C, H, W)."""
        mean, log_variance = self.moments(x)
        return mean + (0.5 * log_variance).exp() * noise


class ALIDiscriminator(JointDiscriminator):
    """Maxout networks of the image, of the latent and of both, with dropout.

    Deviation from the paper: as in :class:`ALIEncoder`; the maxout of the image's convolutions is
    a leaky ReLU, and weights start as PyTorch sets them.

    Args:
        latent_dim: dimension of the latents.
        channels: channels of the images.
        resolution: height and width of the images, 4 to 7 times a power of two from 2.
        conditioning: how the label enters.
        width: feature maps after the first layer; each halving of the resolution doubles it.
        hidden: maxout units of each layer on the latent; those on both are twice as many.
        dropout: probability of dropping an input of a layer on the latent or on both.
        minibatch: function of the size of the features that returns the layer that compares the
            pairs of a batch.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        width: int = 64,
        hidden: int = 512,
        dropout: float = 0.2,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        self.shape, self.latent_dim = (channels, resolution, resolution), latent_dim
        side, halvings = smallest_maps(resolution)
        widths, layers = _widths(channels, width, halvings), list[nn.Module]()
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(_LEAK)]

        def maxout(*units: int) -> nn.Sequential:
            pairs = [(nn.Dropout(dropout), Maxout(*ends, _PIECES)) for ends in pairwise(units)]
            return nn.Sequential(*(layer for both in pairs for layer in both))

        self.image = nn.Sequential(*layers, nn.Flatten())
        self.latent = maxout(latent_dim, hidden, hidden)
        self.both = maxout(widths[-1] * side**2 + hidden, 2 * hidden, 2 * hidden)
        self.build_head(2 * hidden, conditioning, minibatch)

    def join(self, images: Tensor, z: Tensor) -> Tensor:
        """Return the features (B, F) of images (B, C, H, W) beside latents (B, dim)."""
        h: Tensor = self.both(torch.cat([self.image(images), self.latent(z)], dim=1))
        return h
