"""Residual networks with attention against formulas of their papers, at 32 pixels."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, linear, max_pool2d, relu

from gan.algorithms.gan import GAN
from gan.conditioning.projection import ClassNormProjection, Projection
from gan.layers.residual import DownBlock, UpBlock
from gan.layers.spectral import WEIGHTED
from gan.networks.biggan import BigGANDiscriminator, BigGANGenerator
from gan.networks.resnet import ResNetDiscriminator, ResNetGenerator
from gan.settings.trust import build
from tests.configs import thinned
from tests.golden import cases, formula

SIDE, CLASSES = 32, 3
Y = torch.tensor([0, 2])
Norm = Callable[[nn.Module, Tensor], Tensor]


def attended(attention: nn.Module, x: Tensor) -> Tensor:
    """Zhang et al., 2019, eqs. 1 to 3, a position at a time, keys and values pooled."""
    query, key, value, out = (
        getattr(attention, n).weight for n in ("query", "key", "value", "out")
    )
    f = conv2d(x, query).flatten(2)
    g, h = (max_pool2d(conv2d(x, w), 2).flatten(2) for w in (key, value))
    columns = []
    for position in range(f.shape[2]):
        score = (f[:, :, position, None] * g).sum(1).exp()
        columns.append((h * (score / score.sum(1, keepdim=True))[:, None]).sum(2))
    gathered = torch.stack(columns, 2).view(len(x), -1, *x.shape[2:])
    gamma = attention.gamma
    assert isinstance(gamma, Tensor)
    return x + gamma * conv2d(gathered, out)


def normalised(x: Tensor) -> Tensor:
    """Return maps with mean 0 and variance 1 of each channel over a batch."""
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (var + 1e-5).sqrt()


def double(x: Tensor) -> Tensor:
    """Return maps with each pixel repeated twice in both directions."""
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def conv(layer: nn.Module, x: Tensor) -> Tensor:
    """Return a convolution of padding that keeps the size."""
    assert isinstance(layer, nn.Conv2d)
    return conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[2] // 2)


def risen(block: nn.Module, x: Tensor, scaled: Norm) -> Tensor:
    """Return what a block of the generator makes of maps, with a function of norm and maps."""
    assert isinstance(block, UpBlock)
    h = conv(block.branch[0], double(relu(scaled(block.norms[0], x))))
    return conv(block.branch[1], relu(scaled(block.norms[1], h))) + conv(block.skip, double(x))


def fallen(block: DownBlock, x: Tensor) -> Tensor:
    """Return what a block of the discriminator makes of maps."""
    *_, one, _, _, two = block.branch
    h = conv(two, relu(conv(one, x if block.first else relu(x))))
    skip = x if isinstance(block.skip, nn.Identity) else conv(block.skip, x)
    return avg_pool2d(h + skip, 2) if block.down else h + skip


def last(network: nn.Sequential, x: Tensor) -> Tensor:
    norm, _, layer, _ = network
    assert isinstance(norm, nn.BatchNorm2d)
    scale, bias = norm.weight[:, None, None], norm.bias[:, None, None]
    return conv(layer, relu(normalised(x) * scale + bias)).tanh()


def test_resnet_generator_with_class_norms_and_attention() -> None:
    network = ResNetGenerator(6, 3, SIDE, ClassNormProjection(CLASSES), 8, attention=16).double()
    formula.fill(network)
    z = formula.waves((2, 6))
    x = linear(z, network.first.weight, network.first.bias).view(2, 8, 4, 4)
    for block, attention in zip(network.blocks, network.attention, strict=True):

        def scaled(norm: nn.Module, maps: Tensor) -> Tensor:
            gain, bias = norm.get_parameter("gain")[Y], norm.get_parameter("bias")[Y]
            return normalised(maps) * gain[:, :, None, None] + bias[:, :, None, None]

        x = risen(block, x, scaled)
        if x.shape[2] == 16:
            x = attended(attention, x)
    assert torch.allclose(network(z, Y), last(network.last, x), atol=1e-10)


def test_biggan_generator_with_chunks_and_attention() -> None:
    network = BigGANGenerator(8, 3, SIDE, Projection(CLASSES, 5), 8, attention=16).double()
    formula.fill(network)
    z = formula.waves((2, 8))
    label = network.entry.embedding.weight[Y]  # type: ignore[union-attr, index]
    first, *chunks = torch.split(z, 2, 1)
    network.eval()  # of the spectral norms
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    x = linear(first, network.first.weight, network.first.bias).view(2, 8, 4, 4)
    for block, attention, chunk in zip(network.blocks, network.attention, chunks, strict=True):
        code = torch.cat([label, chunk], 1)

        def scaled(norm: nn.Module, maps: Tensor, code: Tensor = code) -> Tensor:
            weights = (getattr(norm, name).weight for name in ("gain", "bias"))
            gain, bias = (code @ weight.T for weight in weights)
            moved: Tensor = normalised(maps) * (1 + gain)[:, :, None, None]
            moved += bias[:, :, None, None]
            return moved

        x = risen(block, x, scaled)
        if x.shape[2] == 16:
            x = attended(attention, x)
    assert torch.allclose(network(z, Y), last(network.last, x), atol=1e-10)


@pytest.mark.parametrize("kind", [ResNetDiscriminator, BigGANDiscriminator])
@pytest.mark.parametrize("mean", [False, True])
def test_residual_discriminators_with_attention(
    kind: type[ResNetDiscriminator], mean: bool
) -> None:
    network = kind(3, SIDE, Projection(CLASSES), width=8, attention=16, mean=mean).double()
    formula.fill(network)
    network.eval()
    images = formula.waves((2, 3, SIDE, SIDE))
    h, blocks = images, 0
    for layer in network.layers:
        if isinstance(layer, DownBlock):
            h, blocks = fallen(layer, h), blocks + 1
            h = attended(network.layers[1], h) if h.shape[2] == 16 else h
    h = relu(h).mean((2, 3)) if mean else relu(h).sum((2, 3))
    head = network.head
    embedded = head.embedding.weight[Y]  # type: ignore[union-attr, index]
    expected = linear(h, head.linear.weight, head.linear.bias)[:, 0] + (embedded * h).sum(1)
    assert blocks == 4
    assert torch.allclose(network(images, Y), expected, atol=1e-9)


@pytest.mark.parametrize("down", [False, True])
def test_a_block_of_a_normalised_discriminator(down: bool) -> None:
    block = DownBlock(4, 6, down, nn.BatchNorm2d).double()
    formula.fill(block)
    entry, one, second, _, two = block.branch

    def scaled(norm: nn.Module, maps: Tensor) -> Tensor:
        gain, bias = (norm.get_parameter(name)[:, None, None] for name in ("weight", "bias"))
        return normalised(maps) * gain + bias

    x = formula.waves((3, 4, 8, 8))
    h = relu(scaled(entry.get_submodule("0"), x))
    h = conv(two, relu(scaled(second, conv(one, h)))) + conv(block.skip, x)
    assert torch.allclose(block(x), avg_pool2d(h, 2) if down else h, atol=1e-10)


def norms(network: nn.Module) -> dict[str, float]:
    """Return the spectral norm of each weight, of a convolution as a matrix of its outputs."""
    for _ in range(200):
        for module in network.modules():
            if isinstance(module, WEIGHTED):
                _ = module.weight  # one iteration
    return {
        name: float(torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2))
        for name, module in network.named_modules()
        if isinstance(module, WEIGHTED)
    }


NORMALISED = ["sngan", "sngan_cnn", "sagan", "biggan", "cgan_pd", "ssgan", "contragan", "reacgan"]


@pytest.mark.parametrize("model", thinned(NORMALISED, keep=4))
def test_every_weight_of_the_discriminator_has_spectral_norm_one(model: str) -> None:
    torch.manual_seed(0)
    game = build(cases.config(f"model/{model}").model)
    assert isinstance(game, GAN)
    found = norms(game.discriminator)
    assert len(found) > 5
    for name, norm in found.items():
        assert norm == pytest.approx(1, rel=1e-3), name


def test_sagan_normalises_its_generator_too() -> None:
    torch.manual_seed(0)
    found = norms(build(cases.config("model/sagan").model).generator)
    assert all(norm == pytest.approx(1, rel=1e-3) for norm in found.values())


@pytest.mark.parametrize("model", ["dcgan", "wgan_gp"])
def test_other_discriminators_have_no_spectral_norm(model: str) -> None:
    game = build(cases.config(f"model/{model}").model)
    assert max(abs(norm - 1) for norm in norms(game.discriminator).values()) > 0.05
