"""Residual networks: published parameter counts, and conditioning."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm

from gan.conditioning.auxiliary import Auxiliary
from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.projection import ClassNormProjection, Projection
from gan.layers.conditional_norm import ClassConditionalBatchNorm
from gan.networks.base import Discriminator, Generator
from gan.networks.biggan import BigGANDiscriminator, BigGANGenerator
from gan.networks.dcgan import DCGANGenerator
from gan.networks.infogan import InfoGANDiscriminator, InfoGANGenerator
from gan.networks.mlp import MLPGenerator
from gan.networks.resnet import (
    ResNetDiscriminator,
    ResNetGenerator,
    discriminator_widths,
    generator_widths,
)
from gan.networks.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator

Players = tuple[Generator, Discriminator]
MAKERS: dict[str, Callable[[int, int, Conditioning], Players]] = {
    "resnet": lambda c, r, y: (
        ResNetGenerator(6, c, r, y, 8, attention=16, spectral=True),
        ResNetDiscriminator(c, r, y, width=16, attention=16),
    ),
    "biggan": lambda c, r, y: (
        BigGANGenerator(6, c, r, y, 8, attention=16),
        BigGANDiscriminator(c, r, y, width=16, attention=16),
    ),
    "infogan": lambda c, r, y: (
        InfoGANGenerator(6, c, r, y, 2, hidden=8),
        InfoGANDiscriminator(c, r, y, width=2, hidden=8),
    ),
    "sndcgan": lambda c, r, y: (
        SNDCGANGenerator(6, c, r, y, 2),
        SNDCGANDiscriminator(c, r, y, width=2),
    ),
}
NETWORKS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@NETWORKS
@pytest.mark.parametrize("resolution", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "conditioning", [Unconditional(), Projection(3), Auxiliary(3)], ids=["plain", "told", "aux"]
)
def test_shapes_and_range(
    make: Callable[..., Players], resolution: int, channels: int, conditioning: Conditioning
) -> None:
    generator, discriminator = make(channels, resolution, conditioning)
    y = torch.arange(4) % 3 if conditioning.num_classes else None
    images = generator(torch.randn(4, 6), y)
    assert images.shape == (4, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert discriminator(images, y).shape == (4,)
    assert discriminator.features(images).shape == (4, discriminator.head.width)


@pytest.mark.parametrize(
    ("side", "up", "down", "halves"),
    [
        (32, [256] * 4, [128] * 4, 2),
        (64, [1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024], 5),
        (128, [1024, 1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024, 1024], 5),
    ],
)
def test_sngan_channels(side: int, up: list[int], down: list[int], halves: int) -> None:
    """Those of mimicry's SNGAN at three sizes (Miyato et al., 2018, tables 3 to 5)."""
    assert generator_widths(256, side) == up
    assert discriminator_widths(128, side) == (down, [k < halves for k in range(len(down))])


def test_sngan_parameter_count() -> None:
    """The counts of mimicry's SNGAN at 32 pixels."""
    assert count(ResNetGenerator(128, 3, 32, Unconditional())) == 4_276_739
    assert count(ResNetDiscriminator(3, 32, Unconditional())) == 1_053_825


def test_biggan_parameter_count() -> None:
    """9.4 M in StudioGAN's setting for CIFAR-10: 96 channels (384 maps), z 80, shared 128."""
    generator = BigGANGenerator(80, 3, 32, Projection(10, 128), attention=16)
    maps, code = 384, 128 + 20
    block = 2 * (9 * maps**2 + maps) + (maps**2 + maps) + 2 * 2 * code * maps
    attention = 2 * maps * maps // 8 + 2 * maps * maps // 2 + 1
    first, last = 20 * 16 * maps + 16 * maps, 2 * maps + 3 * 9 * maps + 3
    assert count(generator) == 3 * block + attention + first + last + 10 * 128
    assert round(count(generator) / 1e6, 1) == 9.4


def test_sndcgan_has_the_layers_of_the_paper() -> None:
    """Miyato et al., 2018, table 3, at 32 pixels."""
    generator = SNDCGANGenerator(128, 3, 32, Unconditional())
    shapes = [
        (up.in_channels, up.out_channels)
        for up in generator.ups
        if isinstance(up, nn.ConvTranspose2d)
    ]
    assert shapes == [(512, 256), (256, 128), (128, 64)]
    discriminator = SNDCGANDiscriminator(3, 32, Unconditional(), spectral=False)
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 128, 128, 256, 256, 512, 512]
    assert [m.stride[0] for m in convolutions] == [1, 2, 1, 2, 1, 2, 1]
    assert discriminator.head.width == 512 * 4 * 4


def test_infogan_has_the_layers_of_the_paper() -> None:
    """Chen et al., 2016, table 1, at 28 pixels, without biases before normalisation."""
    generator = InfoGANGenerator(74, 1, 28, Unconditional())
    maps = 7 * 7 * 128
    linear = 74 * 1024 + 2 * 1024 + 1024 * maps + 2 * maps
    assert count(generator) == linear + 128 * 64 * 16 + 2 * 64 + 64 * 16 + 1
    assert generator(torch.randn(2, 74)).shape == (2, 1, 28, 28)
    discriminator = InfoGANDiscriminator(1, 28, Unconditional())
    convolutions = 64 * 16 + 64 + 64 * 128 * 16 + 3 * 128
    assert count(discriminator) == convolutions + maps * 1024 + 3 * 1024 + 1024 + 1


def test_infogan_refuses_illegal_arguments() -> None:
    with pytest.raises(ValueError, match=r"data\.resolution=30 must be a multiple of 4"):
        InfoGANGenerator(74, 1, 30, Unconditional())
    with pytest.raises(ValueError, match="critic_norm=instance"):
        InfoGANDiscriminator(1, 28, Unconditional(), nn.InstanceNorm2d)


def test_each_block_of_biggan_depends_on_its_chunk_of_z() -> None:
    torch.manual_seed(0)
    generator = BigGANGenerator(10, 3, 32, Unconditional(), 8)
    assert generator.chunks == [3, 3, 2, 2]
    heard: list[Tensor] = []
    for block in generator.blocks:
        block.register_forward_hook(lambda module, args, out: heard.append(args[1]))
    z = torch.randn(2, 10)
    generator(z)
    assert torch.equal(torch.cat(heard, 1), z[:, 3:])


def test_all_blocks_of_biggan_use_the_same_label_embedding() -> None:
    torch.manual_seed(0)
    generator = BigGANGenerator(8, 3, 32, Projection(3, 5), 8)
    heard: list[Tensor] = []
    for block in generator.blocks:
        block.register_forward_hook(lambda module, args, out: heard.append(args[1]))
    y = torch.tensor([2, 0])
    generator(torch.randn(2, 8), y)
    for code in heard:
        assert torch.equal(code[:, :5], generator.entry.embedding.weight[y])  # type: ignore[union-attr,index]


def test_biggan_initialises_orthogonal_weights_except_the_embedding() -> None:
    torch.manual_seed(0)
    generator = BigGANGenerator(8, 3, 32, Projection(3, 5), 16)
    weight = generator.blocks[0].branch[0].parametrizations.weight.original.flatten(1)  # type: ignore[union-attr,index]
    assert torch.allclose(weight @ weight.T, torch.eye(16), atol=1e-5)
    normalised = {
        name.split(".parametrizations")[0]
        for name, module in generator.named_modules()
        if isinstance(module, _SpectralNorm)
    }
    assert not any(name.startswith("entry") for name in normalised)
    convolutions = [n for n, m in generator.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert normalised == set(convolutions)


def test_latent_dim_below_the_number_of_chunks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"prior\.dim=3: z is cut into 4 chunks"):
        BigGANGenerator(3, 3, 32, Unconditional())


@pytest.mark.parametrize("kind", [DCGANGenerator, MLPGenerator, BigGANGenerator])
def test_class_norm_without_conditional_norm_layers_is_refused(
    kind: Callable[..., Generator],
) -> None:
    with pytest.raises(ValueError, match="conditioning=projection"):
        kind(8, 3, 32, ClassNormProjection(3))


@NETWORKS
def test_an_image_depends_on_its_label(make: Callable[..., Players]) -> None:
    torch.manual_seed(0)
    generator, discriminator = make(1, 16, Projection(3))
    z = torch.randn(1, 6).expand(3, 6)
    images = generator.eval()(z, torch.arange(3))
    assert (images[0] - images[1]).abs().max() > 1e-3 * images.abs().max()
    logits = discriminator.eval()(images[:1].expand(3, -1, -1, -1), torch.arange(3))
    assert logits.unique().numel() == 3


@pytest.mark.parametrize("kind", [ResNetGenerator, SNDCGANGenerator])
def test_generators_with_conditional_norm_layers_draw_by_label(kind: type[Generator]) -> None:
    torch.manual_seed(0)
    network = kind(4, 1, 16, ClassNormProjection(3), width=4).eval()
    z, labels = torch.randn(1, 4).expand(3, 4), torch.arange(3)
    norms = [m for m in network.modules() if isinstance(m, ClassConditionalBatchNorm)]
    assert norms
    for norm in norms:
        torch.nn.init.normal_(norm.bias)
    with torch.no_grad():
        images = network(z, labels)
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[1], images[2])
