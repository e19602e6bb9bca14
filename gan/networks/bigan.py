"""The fully connected networks of BiGAN for MNIST (Donahue et al., 2017, appendix C.1)."""

from collections.abc import Callable

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.minibatch import Alone
from gan.networks.base import Generator, initialize_weights
from gan.networks.joint import JointDiscriminator, JointEncoder

_LEAK = 0.2


def _initialize(network: nn.Module) -> None:
    """Initialize weights from N(0, 0.02), as in the authors' code."""
    initialize_weights(network, lambda weight: nn.init.normal_(weight, std=0.02))


class BiGANGenerator(Generator):
    """Two hidden layers with batch normalisation and ReLU; the latent enters both.

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
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        width = self.entry.width
        self.first = nn.Sequential(
            nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden, affine=False), nn.ReLU()
        )
        self.second = nn.Linear(hidden, hidden, bias=False)
        self.again = nn.Linear(width, hidden, bias=False)
        self.norm = nn.Sequential(nn.BatchNorm1d(hidden, affine=False), nn.ReLU())
        self.pixels = nn.Sequential(
            nn.Linear(hidden, channels * resolution**2),
            nn.Tanh(),
            nn.Unflatten(1, (channels, resolution, resolution)),
        )
        _initialize(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        z = self.entry(z, y)
        images: Tensor = self.pixels(self.norm(self.second(self.first(z)) + self.again(z)))
        return images


class BiGANEncoder(JointEncoder):
    """Two hidden layers with leaky ReLU, the second with batch normalisation, then the latent.

    Args:
        latent_dim: dimension of the latents.
        channels: channels of the images.
        resolution: height and width of the images.
        hidden: units of each hidden layer.
        bounded: end with a tanh, as for ``prior=uniform``; otherwise latents have any size.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        hidden: int = 1024,
        bounded: bool = True,
    ) -> None:
        super().__init__()
        self.latent_dim, self.bounded = latent_dim, bounded
        self.layers = nn.Sequential(
            *(nn.Flatten(), nn.Linear(channels * resolution**2, hidden), nn.LeakyReLU(_LEAK)),
            nn.Linear(hidden, hidden, bias=False),
            *(nn.BatchNorm1d(hidden, affine=False), nn.LeakyReLU(_LEAK)),
            *(nn.Linear(hidden, latent_dim), nn.Tanh() if bounded else nn.Identity()),
        )
        _initialize(self)

    def mean(self, x: Tensor) -> Tensor:
        """Return latents (B, latent_dim) of images (B, C, H, W)."""
        z: Tensor = self.layers(x)
        return z


class BiGANDiscriminator(JointDiscriminator):
    """Two hidden layers with leaky ReLU; the latent enters the second, which is normalised.

    Deviation from the authors' code: biases, and the gains of the normalisation.

    Args:
        latent_dim: dimension of the latents.
        channels: channels of the images.
        resolution: height and width of the images.
        conditioning: how the label enters.
        norm: function of the number of channels that returns a normalisation layer, used in the
            second hidden layer; the paper uses batch normalisation.
        hidden: units of each hidden layer.
        minibatch: function of the size of the features that returns the layer that compares the
            pairs of a batch.

    Raises:
        ValueError: on instance normalisation.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        hidden: int = 1024,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        if isinstance(norm(1), nn.InstanceNorm2d):
            raise ValueError(
                "critic_norm=instance: instance normalisation is undefined after a linear layer: "
                "set critic_norm=batch, layer or none"
            )
        self.shape, self.latent_dim = (channels, resolution, resolution), latent_dim
        self.image = nn.Sequential(
            *(nn.Flatten(), nn.Linear(channels * resolution**2, hidden), nn.LeakyReLU(_LEAK)),
            nn.Linear(hidden, hidden),
        )
        self.latent = nn.Linear(latent_dim, hidden, bias=False)
        self.both = nn.Sequential(
            *(nn.Unflatten(1, (hidden, 1, 1)), norm(hidden), nn.Flatten(), nn.LeakyReLU(_LEAK))
        )
        self.build_head(hidden, conditioning, minibatch)
        _initialize(self)

    def join(self, images: Tensor, z: Tensor) -> Tensor:
        """Return the features (B, hidden) of images (B, C, H, W) beside latents (B, dim)."""
        h: Tensor = self.both(self.image(images) + self.latent(z))
        return h
