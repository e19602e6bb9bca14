"""Fully connected networks: of the first GAN (Goodfellow et al., 2014, MNIST) and of tutorials."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.maxout import Maxout
from gan.layers.minibatch import Alone
from gan.networks.base import Discriminator, Generator, initialize_weights

_normal = partial(nn.init.normal_, std=0.02)


class MLPGenerator(Generator):
    """Hidden layers with ReLU, then a linear layer with tanh to the pixels.

    Deviation from the paper: tanh and images in [-1, 1] instead of a sigmoid and [0, 1].

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images.
        conditioning: how the label enters.
        hidden: units of each hidden layer.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        hidden: Sequence[int] = (1200, 1200),
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        widths = [self.entry.width, *hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        pixels = nn.Linear(widths[-1], channels * resolution**2)
        shape = (channels, resolution, resolution)
        self.layers = nn.Sequential(*layers, pixels, nn.Tanh(), nn.Unflatten(1, shape))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        images: Tensor = self.layers(self.entry(z, y))
        return images


class MLPDiscriminator(Discriminator):
    """Maxout layers with dropout.

    Args:
        channels: channels of the images.
        resolution: height and width of the images.
        conditioning: how the label enters.
        units: maxout units of each layer.
        pieces: affine functions per maxout unit.
        dropout: probability of dropping a hidden unit; no input is dropped.
        minibatch: function of the size of the features that returns the layer that compares the
            images of a batch.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        units: Sequence[int] = (240, 240),
        pieces: int = 5,
        dropout: float = 0.5,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        widths = [channels * resolution**2, *units]
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers += [Maxout(before, after, pieces), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.build_head(widths[-1], conditioning, minibatch)

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, units)."""
        h: Tensor = self.layers(x)
        return h


class LeakyMLPGenerator(Generator):
    """Hidden layers with leaky ReLU, then a linear layer with tanh, as in tutorials on MNIST.

    Weights start from N(0, 0.02), biases from 0.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images.
        conditioning: how the label enters.
        hidden: units of each hidden layer.

    Attributes:
        norm: layer of a number of units, before each leaky ReLU.
        slope: of the leaky ReLU for negative inputs.
    """

    norm: ClassVar[type[nn.Module]] = nn.Identity
    slope: ClassVar[float] = 0.2

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        hidden: Sequence[int] = (256, 256),
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        pixels = nn.Linear(hidden[-1], channels * resolution**2)
        shape = (channels, resolution, resolution)
        layers = _leaky_layers([self.entry.width, *hidden], self.slope, self.norm)
        self.layers = nn.Sequential(*layers, pixels, nn.Tanh(), nn.Unflatten(1, shape))
        initialize_weights(self, _normal)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        images: Tensor = self.layers(self.entry(z, y))
        return images


class BatchNormMLPGenerator(LeakyMLPGenerator):
    """:class:`LeakyMLPGenerator` with batch normalisation and ReLU in each hidden layer.

    Deviation from tutorials: ReLU instead of leaky ReLU, as in DCGAN (Radford et al., 2016).
    """

    norm = nn.BatchNorm1d
    slope = 0.0


class LeakyMLPDiscriminator(Discriminator):
    """Hidden layers with leaky ReLU, as in tutorials on MNIST.

    Weights start from N(0, 0.02), biases from 0.

    Args:
        channels: channels of the images.
        resolution: height and width of the images.
        conditioning: how the label enters.
        units: units of each layer.
        slope: of the leaky ReLU for negative inputs.
        minibatch: function of the size of the features that returns the layer that compares the
            images of a batch.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        units: Sequence[int] = (256, 256),
        slope: float = 0.2,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        layers = _leaky_layers([channels * resolution**2, *units], slope)
        self.layers = nn.Sequential(nn.Flatten(), *layers)
        self.build_head(units[-1], conditioning, minibatch)
        initialize_weights(self, _normal)

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, units)."""
        h: Tensor = self.layers(x)
        return h


def _leaky_layers(
    widths: Sequence[int], slope: float, norm: Callable[[int], nn.Module] = nn.Identity
) -> list[nn.Module]:
    """Return linear layers from each width to the next, each with a norm and leaky ReLU."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), norm(after), nn.LeakyReLU(slope)]
    return layers
