"""The encoder of a VAE (Kingma and Welling, 2014), convolutional."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan.layers.precision import at_least_float32
from gan.networks.base import Encoder, smallest_maps
from gan.networks.dcgan import halving_layers, initialize


@dataclass(frozen=True)
class DiagonalGaussian:
    """A normal distribution of latents with a diagonal covariance, one for each image.

    Attributes:
        mean: (B, dim).
        log_variance: (B, dim).
    """

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return a latent for each row of standard normal ``noise``, (B, dim), differentiable."""
        return self.mean + (self.log_variance / 2).exp() * noise

    def standard(self) -> "DiagonalGaussian":
        """Return the standard normal distributions of the same shape, the prior."""
        return DiagonalGaussian(torch.zeros_like(self.mean), torch.zeros_like(self.mean))

    def kl(self) -> Tensor:
        """Return KL(q || N(0, I)) in nats, (B,) (Kingma and Welling, 2014, appendix B)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).sum(1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log q(z), (B,), of latents (B, dim)."""
        squares = (z - self.mean).square() / self.log_variance.exp()
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).sum(1)


class VariationalEncoder(Encoder):
    """A network that maps images to distributions q(z | x) of latents."""

    @abstractmethod
    def forward(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z | x) of images (B, C, H, W), in float32 or wider."""

    def mean(self, x: Tensor) -> Tensor:
        """Return the means of q(z | x), (B, latent_dim)."""
        return self(x).mean  # type: ignore[no-any-return]


class ConvolutionalEncoder(VariationalEncoder):
    """The layers of DCGAN's discriminator, then means and log variances.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, 4 to 7 times a power of two from 2.
        width: feature maps after the first layer; each halving of the resolution doubles it.
    """

    def __init__(self, latent_dim: int, channels: int, resolution: int, width: int = 64) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        side, halvings = smallest_maps(resolution)
        features = (width << halvings - 1) * side**2
        self.layers = nn.Sequential(
            *halving_layers(channels, width, halvings, nn.BatchNorm2d),
            nn.Flatten(),
            nn.Linear(features, 2 * latent_dim),
        )
        self.apply(initialize)

    def forward(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z | x) of images (B, C, H, W)."""
        mean, log_variance = at_least_float32(self.layers(x)).chunk(2, dim=1)
        return DiagonalGaussian(mean, log_variance)
