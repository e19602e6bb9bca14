"""BigGAN (Brock et al., 2019)."""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.layers.attention import SelfAttention
from gan.layers.conditional_norm import CodeConditionalBatchNorm
from gan.layers.residual import UpBlock
from gan.layers.spectral import apply_spectral_norm
from gan.networks.base import BASE, Generator, halvings, initialize_weights
from gan.networks.resnet import ResNetDiscriminator, generator_widths


class BigGANGenerator(Generator):
    """Residual blocks with batch normalisation conditioned on z and the label.

    z is split into chunks of (almost) equal size: one for the linear layer to 4x4, one for each
    block. Each block is conditioned on its chunk and on an embedding of the label, which all blocks
    share (Brock et al., 2019, section 3 and appendix B). Without labels, each block is conditioned
    on its chunk. Weights are orthogonal at initialisation, the embedding's too. All
    layers but the embedding have spectral normalisation.

    Args:
        latent_dim: dimension of z, at least the number of blocks + 1.
        channels: channels of the images.
        resolution: height and width of the images, a power of two of at least 8.
        conditioning: how the label is embedded.
        width: feature maps at 32 pixels.
        attention: resolution of the feature maps with self-attention, or ``None``.

    Raises:
        ValueError: if z has fewer numbers than there are chunks.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        width: int = 384,
        attention: int | None = None,
    ) -> None:
        super().__init__()
        self.chunks = [
            len(c) for c in torch.arange(latent_dim).tensor_split(halvings(resolution) + 1)
        ]
        if 0 in self.chunks:
            raise ValueError(
                f"prior.dim={latent_dim}: z is cut into {len(self.chunks)} chunks at "
                f"data.resolution={resolution}: give a number from {len(self.chunks)}"
            )
        self.build_entry(latent_dim, conditioning)
        self._build(channels, generator_widths(width, resolution), attention)
        initialize_weights(self, nn.init.orthogonal_, embeddings=True)
        for part in (self.first, self.blocks, self.attention, self.last):
            apply_spectral_norm(part)

    def _build(self, channels: int, widths: list[int], attention: int | None) -> None:
        """Build the layers, from 4x4 to full resolution."""
        begin, *chunks = self.chunks
        label = self.entry.width - self.latent_dim
        norms = [partial(CodeConditionalBatchNorm, code_dim=label + chunk) for chunk in chunks]
        self.first = nn.Linear(begin, widths[0] * BASE**2)
        pairs = zip(pairwise(widths), norms, strict=True)
        self.blocks = nn.ModuleList(UpBlock(*pair, norm) for pair, norm in pairs)
        self.attention = nn.ModuleList(
            SelfAttention(after) if attention == BASE * 2**stage else nn.Identity()
            for stage, after in enumerate(widths[1:], 1)
        )
        last = nn.Conv2d(widths[-1], channels, 3, padding=1)
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), last, nn.Tanh())

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        label = self.entry(z, y)[:, self.latent_dim :]
        begin, *chunks = torch.split(z, self.chunks, dim=1)
        x = self.first(begin).unflatten(1, (-1, BASE, BASE))
        for block, attention, chunk in zip(self.blocks, self.attention, chunks, strict=True):
            x = attention(block(x, torch.cat([label, chunk], dim=1)))
        images: Tensor = self.last(x)
        return images


class BigGANDiscriminator(ResNetDiscriminator):
    """A residual discriminator with orthogonal initialisation; see :class:`ResNetDiscriminator`."""

    def initialize(self) -> None:
        """Initialize orthogonal weights, embeddings among them."""
        initialize_weights(self, nn.init.orthogonal_, embeddings=True)
