"""The networks of InfoGAN for MNIST (Chen et al., 2016, appendix C.1)."""

from collections.abc import Callable

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.minibatch import Alone
from gan.networks.base import Discriminator, Generator, initialize_weights

DOWNSAMPLING = 4  # two convolutions with stride 2


def _positions(resolution: int) -> int:
    """Return the number of positions of the smallest feature maps.

    Raises:
        ValueError: if ``resolution`` is not a multiple of 4.
    """
    if resolution < 2 * DOWNSAMPLING or resolution % DOWNSAMPLING:
        raise ValueError(
            f"data.resolution={resolution} must be a multiple of 4 from 8: set data.resolution to "
            "28 or 32"
        )
    return (resolution // DOWNSAMPLING) ** 2


def _initialize(network: nn.Module) -> None:
    """Initialize weights from N(0, 0.02), as in the authors' code."""
    initialize_weights(network, lambda weight: nn.init.normal_(weight, std=0.02))


def _with_norm(layer: nn.Module, norm: nn.Module) -> tuple[nn.Module, ...]:
    """Return a layer of the generator, its normalisation layer and a ReLU."""
    return layer, norm, nn.ReLU(inplace=True)


class InfoGANGenerator(Generator):
    """Two linear layers, then two transposed convolutions with stride 2, with batch normalisation.

    Deviation from the paper: tanh and images in [-1, 1] instead of a sigmoid and [0, 1].

    Args:
        latent_dim: dimension of z, codes included.
        channels: channels of the images.
        resolution: height and width of the images, a multiple of 4 of at least 8.
        conditioning: how the label enters.
        width: feature maps before the last layer.
        hidden: units of the first layer.

    Raises:
        ValueError: on another resolution.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        width: int = 64,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        side, maps = resolution // DOWNSAMPLING, 2 * width * _positions(resolution)
        self.layers = nn.Sequential(
            *_with_norm(nn.Linear(self.entry.width, hidden, bias=False), nn.BatchNorm1d(hidden)),
            *_with_norm(nn.Linear(hidden, maps, bias=False), nn.BatchNorm1d(maps)),
            nn.Unflatten(1, (2 * width, side, side)),
            *_with_norm(
                nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
            ),
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )
        _initialize(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        images: Tensor = self.layers(self.entry(z, y))
        return images


class InfoGANDiscriminator(Discriminator):
    """Two convolutions with stride 2 and a linear layer with leaky ReLU, then one logit.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, a multiple of 4 of at least 8.
        conditioning: how the label enters.
        norm: function of the number of channels that returns a normalisation layer, used after
            the second convolution and the linear layer; the paper uses batch normalisation.
        width: feature maps after the first layer.
        hidden: units of the linear layer, the features.
        minibatch: function of the size of the features that returns the layer that compares the
            images of a batch.

    Raises:
        ValueError: on another resolution, or on instance normalisation.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        width: int = 64,
        hidden: int = 1024,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        if isinstance(norm(1), nn.InstanceNorm2d):
            raise ValueError(
                "critic_norm=instance: instance normalisation is undefined after a linear layer: "
                "set critic_norm=batch, layer or none"
            )
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            *(norm(2 * width), nn.LeakyReLU(0.1, inplace=True), nn.Flatten()),
            nn.Linear(2 * width * _positions(resolution), hidden),
            *(nn.Unflatten(1, (hidden, 1, 1)), norm(hidden), nn.Flatten()),
            nn.LeakyReLU(0.1, inplace=True),
        )
        self.build_head(hidden, conditioning, minibatch)
        _initialize(self)

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, hidden)."""
        h: Tensor = self.layers(x)
        return h
