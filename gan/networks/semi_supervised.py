"""The fully connected networks for few labels of MNIST (Salimans et al., 2016)."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.conditioning.log_sum_exp import LogSumExpHead
from gan.layers.gaussian_noise import GaussianNoise
from gan.layers.minibatch import Alone
from gan.layers.weight_norm import weight_norm
from gan.networks.base import Discriminator, Generator


class SoftplusGenerator(Generator):
    """Hidden layers with batch normalisation and softplus, then a weight-normalised layer.

    The last layer ends with a sigmoid, whose values in [0, 1] become pixels in [-1, 1].

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
        hidden: Sequence[int] = (500, 500),
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        widths = [self.entry.width, *hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            linear = nn.Linear(before, after, bias=False)
            layers += [linear, nn.BatchNorm1d(after), nn.Softplus()]
        pixels = nn.Linear(widths[-1], channels * resolution**2)
        last = weight_norm(pixels, learned=True, std=None)
        shape = (channels, resolution, resolution)
        self.layers = nn.Sequential(*layers, last, nn.Sigmoid(), nn.Unflatten(1, shape))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        images: Tensor = self.layers(self.entry(z, y))
        return 2 * images - 1


class NoisyClassifier(Discriminator):
    """Weight-normalised layers with ReLU and normal noise before each, then K class logits.

    Args:
        channels: channels of the images.
        resolution: height and width of the images.
        classes: K.
        units: of each hidden layer.
        input_noise: standard deviation of the noise on pixels; the paper's 0.3 of images in [0, 1].
        noise: standard deviation of the noise on the outputs of the hidden layers.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        classes: int,
        units: Sequence[int] = (1000, 500, 250, 250, 250),
        input_noise: float = 0.6,
        noise: float = 0.5,
    ) -> None:
        super().__init__()
        widths = [channels * resolution**2, *units]
        layers: list[nn.Module] = [nn.Flatten()]
        for number, (before, after) in enumerate(pairwise(widths)):
            std = noise if number else input_noise
            layers += [GaussianNoise(std), weight_norm(nn.Linear(before, after)), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.num_classes, self.minibatch = 0, Alone(widths[-1])
        self.head = LogSumExpHead(widths[-1], classes, noise)

    def body(self, x: Tensor) -> Tensor:
        """Return the last hidden layer, (B, units), without noise on its outputs."""
        h: Tensor = self.layers(x)
        return h
