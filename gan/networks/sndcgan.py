"""The convolutional networks of SNGAN (Miyato et al., 2018, table 3)."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.minibatch import Alone
from gan.layers.spectral import apply_spectral_norm
from gan.networks.base import BASE, Discriminator, Generator, halvings, initialize_weights

_normal = partial(nn.init.normal_, std=0.02)


class SNDCGANGenerator(Generator):
    """A linear layer to 4x4, transposed convolutions with stride 2, norm and ReLU, one convolution.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters: beside z or in the normalisation layers.
        width: feature maps at full resolution; each halving doubles it; 64 in the paper.
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
        widths = [width << stage for stage in range(halvings(resolution) + 1)][::-1]
        self.build_entry(latent_dim, conditioning, class_norm=True)
        self.first = nn.Linear(self.entry.width, widths[0] * BASE**2)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(*pair, 4, stride=2, padding=1) for pair in pairwise(widths)
        )
        self.norms = nn.ModuleList(conditioning.norm(after) for after in widths)
        self.last = nn.Sequential(nn.Conv2d(width, channels, 3, padding=1), nn.Tanh())
        initialize_weights(self, _normal)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        x = self.first(self.entry(z, y)).unflatten(1, (-1, BASE, BASE))
        first, *norms = self.norms
        x = first(x, y).relu()
        for up, norm in zip(self.ups, norms, strict=True):
            x = norm(up(x), y).relu()
        images: Tensor = self.last(x)
        return images


class SNDCGANDiscriminator(Discriminator):
    """A 3x3 convolution, pairs of a 4x4 convolution with stride 2 and a 3x3 one, then one logit.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters.
        norm: function of the number of channels that returns a normalisation layer, used after
            each convolution except the first.
        width: feature maps after the first convolution; each halving of the resolution doubles it;
            64 in the paper.
        spectral: apply spectral normalisation to each weight.
        minibatch: function of the size of the features that returns the layer that compares the
            images of a batch.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        norm: Callable[[int], nn.Module] = nn.Identity,
        width: int = 64,
        spectral: bool = True,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        widths = [width << stage for stage in range(halvings(resolution) + 1)]
        self.layers = nn.Sequential(*self._layers(channels, widths, norm), nn.Flatten())
        self.build_head(widths[-1] * BASE**2, conditioning, minibatch)
        initialize_weights(self, _normal)
        if spectral:
            apply_spectral_norm(self)

    @staticmethod
    def _layers(
        channels: int, widths: list[int], norm: Callable[[int], nn.Module]
    ) -> Iterator[nn.Module]:
        """Yield the convolutions, each with its normalisation layer and leaky ReLU."""
        yield nn.Conv2d(channels, widths[0], 3, padding=1)
        yield nn.LeakyReLU(0.1)
        for before, after in pairwise(widths):
            for layer in (
                nn.Conv2d(before, after, 4, stride=2, padding=1),
                nn.Conv2d(after, after, 3, padding=1),
            ):
                yield from (layer, norm(after), nn.LeakyReLU(0.1))

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, F): the last feature maps, flattened."""
        h: Tensor = self.layers(x)
        return h
