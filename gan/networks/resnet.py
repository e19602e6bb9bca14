"""Residual networks (Gulrajani et al., 2017; Miyato et al., 2018; Zhang et al., 2019)."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.attention import SelfAttention
from gan.layers.minibatch import Alone
from gan.layers.residual import DownBlock, UpBlock
from gan.layers.spectral import apply_spectral_norm
from gan.networks.base import BASE, Discriminator, Generator, halvings, initialize_weights


def generator_widths(width: int, resolution: int) -> list[int]:
    """Return the channels of each stage, from 4x4 to full resolution.

    They are constant up to 32 pixels. For larger images they start at four times ``width`` and are
    halved at high resolutions, as in the papers' settings for 64 and 128 pixels.
    """
    stages = halvings(resolution)
    if resolution <= 32:
        return [width] * (stages + 1)
    tail = [4 * width, 2 * width, width, width // 2, width // 4]
    return [4 * width] * (stages + 1 - len(tail)) + tail


def discriminator_widths(width: int, resolution: int) -> tuple[list[int], list[bool]]:
    """Return the output channels of each block, and whether it halves the resolution."""
    stages = halvings(resolution)
    if resolution <= 32:
        downs = max(stages - 1, 1)
        return [width] * (downs + 2), [True] * downs + [False] * 2
    widths = [width // 2, width, 2 * width, 4 * width, 8 * width]
    more = stages + 1 - len(widths)  # blocks at 4x4
    return widths + [8 * width] * more, [True] * len(widths) + [False] * more


def _initialize(network: nn.Module, embeddings: bool = False) -> None:
    """Initialize weights as in Glorot & Bengio, 2010, with gain sqrt(2) in residual branches."""
    initialize_weights(network, nn.init.xavier_uniform_, embeddings)
    for block in network.modules():
        if isinstance(block, UpBlock | DownBlock):
            initialize_weights(block.branch, partial(nn.init.xavier_uniform_, gain=2**0.5))


class ResNetGenerator(Generator):
    """A linear layer to 4x4, residual blocks with upsampling, norm, ReLU, a convolution, tanh.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters: beside z or in the normalisation layers.
        width: feature maps at 32 pixels.
        attention: resolution of the feature maps with self-attention, or ``None``.
        spectral: apply spectral normalisation to each weight.
        bilinear: upsample feature maps bilinearly, as mimicry's networks do; otherwise, each pixel
            is repeated, as in the papers.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        width: int = 256,
        attention: int | None = None,
        spectral: bool = False,
        bilinear: bool = False,
    ) -> None:
        super().__init__()
        widths = generator_widths(width, resolution)
        self.build_entry(latent_dim, conditioning, class_norm=True)
        self.first = nn.Linear(self.entry.width, widths[0] * BASE**2)
        self.blocks = nn.ModuleList(
            UpBlock(*pair, conditioning.norm, bilinear) for pair in pairwise(widths)
        )
        self.attention = nn.ModuleList(
            SelfAttention(after) if attention == BASE * 2**stage else nn.Identity()
            for stage, after in enumerate(widths[1:], 1)
        )
        last = nn.Conv2d(widths[-1], channels, 3, padding=1)
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), last, nn.Tanh())
        _initialize(self)
        if spectral:
            apply_spectral_norm(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        x = self.first(self.entry(z, y)).unflatten(1, (-1, BASE, BASE))
        for block, attention in zip(self.blocks, self.attention, strict=True):
            x = attention(block(x, y))
        images: Tensor = self.last(x)
        return images


class ResNetDiscriminator(Discriminator):
    """Residual blocks with downsampling, ReLU, a sum or mean over positions, then one logit.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label enters.
        norm: function of the number of channels that returns a normalisation layer; the identity
            with gradient penalties.
        width: feature maps at 32 pixels.
        attention: resolution of the feature maps with self-attention, or ``None``.
        spectral: apply spectral normalisation to each weight.
        mean: take the mean over positions (Gulrajani et al.) instead of the sum.
        minibatch: function of the size of the features that returns the layer that compares the
            images of a batch.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        norm: Callable[[int], nn.Module] = nn.Identity,
        width: int = 128,
        attention: int | None = None,
        spectral: bool = True,
        mean: bool = False,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        super().__init__()
        self.mean = mean
        widths, downs = discriminator_widths(width, resolution)
        layers: list[nn.Module] = []
        for block, (pair, down) in enumerate(
            zip(pairwise([channels, *widths]), downs, strict=True)
        ):
            layers.append(DownBlock(*pair, down, norm, first=block == 0))
            if down and resolution >> sum(downs[: block + 1]) == attention:
                layers.append(SelfAttention(pair[1]))
        self.layers = nn.Sequential(*layers, nn.ReLU())
        self.build_head(widths[-1], conditioning, minibatch)
        self.initialize()
        if spectral:
            apply_spectral_norm(self)

    def initialize(self) -> None:
        """Initialize the weights, embeddings among them, before spectral normalisation."""
        _initialize(self, embeddings=True)

    def body(self, x: Tensor) -> Tensor:
        """Return features (B, F), the sum or mean over positions."""
        maps: Tensor = self.layers(x)
        return maps.mean((2, 3)) if self.mean else maps.sum((2, 3))
