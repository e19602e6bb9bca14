"""The fully connected networks of the first GAN (Goodfellow et al., 2014, MNIST)."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.maxout import Maxout
from gan.layers.minibatch import Alone
from gan.networks.base import Discriminator, Generator


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
