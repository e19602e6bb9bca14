"""The networks of the games on images, against published counts and independent references."""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, interpolate, leaky_relu

from gan.errors import InputError
from gan.networks.cut import PatchProjector
from gan.networks.cyclegan import ResNetTranslator, Translators
from gan.networks.patch import Discriminators, PatchDiscriminator
from gan.networks.pix2pix import UNet
from gan.networks.srgan import SRDiscriminator, SRResNet

INSTANCE = nn.InstanceNorm2d
STAGES = {1: 16, 2: 34, 3: 70, 4: 142}  # pixels that a logit sees, by depth


def size(network: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("build", "count"),
    [
        # printed by the authors' program, junyanz/pytorch-CycleGAN-and-pix2pix
        (lambda: ResNetTranslator(3), 11_378_179),
        (lambda: PatchDiscriminator(3, 256, INSTANCE), 2_764_737),
        (lambda: UNet(3, 256), 54_413_955),
        (lambda: PatchDiscriminator(6, 256), 2_768_705),
        # three residual blocks less, of two convolutions with biases
        (lambda: ResNetTranslator(3, blocks=6), 11_378_179 - 3 * 2 * (9 * 256**2 + 256)),
        (lambda: ResNetTranslator(3, antialias=True), 11_378_179),  # the filters are fixed
        # Ledig et al., 2017, figure 4, without biases before batch normalisation
        (
            lambda: SRResNet(3),
            (81 * 3 * 64 + 64 + 1)
            + 16 * (2 * (9 * 64**2 + 2 * 64) + 1)
            + (9 * 64**2 + 2 * 64)
            + 2 * (9 * 64 * 256 + 256 + 1)
            + (81 * 64 * 3 + 3),
        ),
        (
            lambda: SRDiscriminator(3, 96),
            (9 * 3 * 64 + 64)
            + sum(
                9 * before * after + 2 * after
                for before, after in pairwise([64, 64, 128, 128, 256, 256, 512, 512])
            )
            + (6 * 6 * 512 * 1024 + 1024)
            + (1024 + 1),
        ),
    ],
    ids=["resnet9", "patch", "unet", "pairs", "resnet6", "antialias", "srresnet", "vgg"],
)
def test_parameters_as_published(build: partial[nn.Module], count: int) -> None:
    with torch.device("meta"):
        assert size(build()) == count


@pytest.mark.parametrize(("depth", "pixels"), STAGES.items())
def test_what_a_logit_sees(depth: int, pixels: int) -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(1, 256, nn.Identity, width=2, depth=depth).double()
    x = torch.randn(1, 1, 256, 256, dtype=torch.float64, requires_grad=True)
    logits = network(x)
    middle = logits.shape[1] // 2
    (gradient,) = torch.autograd.grad(logits[0, middle, middle], x)
    rows = gradient[0, 0].abs().sum(1).nonzero().flatten()
    columns = gradient[0, 0].abs().sum(0).nonzero().flatten()
    for seen in (rows, columns):
        assert int(seen[-1] - seen[0]) + 1 == len(seen) == pixels


def test_a_map_of_logits() -> None:
    network = PatchDiscriminator(3, 256, INSTANCE, width=2)
    assert network(torch.zeros(2, 3, 256, 256)).shape == (2, 30, 30)
    assert network.features(torch.zeros(2, 3, 256, 256)).shape == (2, 16, 31, 31)


@pytest.mark.parametrize(("pixels", "side"), [(6, 1), (8, 2), (12, 1), (16, 2), (24, 1), (28, 1)])
def test_small_images_have_fewer_halvings(pixels: int, side: int) -> None:
    network = PatchDiscriminator(1, pixels, INSTANCE, width=2)
    assert network(torch.zeros(1, 1, pixels, pixels)).shape == (1, side, side)
    assert sum(m.stride == (2, 2) for m in network.modules() if isinstance(m, nn.Conv2d)) == {
        6: 1, 8: 1, 12: 2, 16: 2, 24: 3, 28: 3
    }[pixels]  # fmt: skip


def test_images_that_are_too_small() -> None:
    with pytest.raises(ValueError, match=r"data\.resolution=5: the PatchGAN takes images from 6"):
        PatchDiscriminator(1, 5)


def test_weights_of_the_authors() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(3, 64)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.03)
            assert module.bias is None or (module.bias == 0).all()
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.3)


def normalised(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Return batch normalisation by the statistics of the batch."""
    return batch_norm(x, None, None, norm.weight, norm.bias, training=True)


def reference(network: Any, x: Tensor, stage: int = 0) -> Tensor:
    """Return what a U-Net inside stage ``stage`` gives for x, stacked after x.

    Stage k halves x, passes it to stage k + 1 and doubles the result.
    """
    last = len(network.encoder)
    down = network.first if stage == 0 else network.encoder[stage - 1][1]
    h = conv2d(x if stage == 0 else leaky_relu(x, 0.2), down.weight, None, 2, 1)
    if 0 < stage < last:
        h = normalised(h, network.encoder[stage - 1][2])
    if stage < last:
        h = reference(network, h, stage + 1)
    if stage == 0:
        up = network.last[1]
        return conv_transpose2d(h.relu(), up.weight, up.bias, 2, 1).tanh()
    up = network.decoder[last - stage]
    h = normalised(conv_transpose2d(h.relu(), up[1].weight, None, 2, 1), up[2])
    return torch.cat([x, h], 1)


def unet(resolution: int, **settings: int) -> UNet:
    """Return a U-Net in float64 whose layers are not near 0."""
    torch.manual_seed(0)
    network = UNet(2, resolution, width=3, dropout=0.0, **settings).double()
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    return network


@pytest.mark.parametrize("resolution", [8, 32, 128])
def test_unet_equals_its_recursive_definition(resolution: int) -> None:
    network, x = unet(resolution), torch.randn(2, 2, resolution, resolution, dtype=torch.float64)
    images = network(x)
    assert images.shape == x.shape
    assert torch.allclose(images, reference(network, x), atol=1e-12)
    assert images.std() > 0.1


@pytest.mark.parametrize("stage", range(4))
def test_every_skip_connection_matters(stage: int) -> None:
    network, x = unet(32), torch.randn(2, 2, 32, 32, dtype=torch.float64)
    images = network(x)
    receiving = [*network.decoder[1:], network.last][stage]  # skipped maps come first
    up = receiving[1]
    with torch.no_grad():
        up.weight[: up.in_channels // 2] = 0
    assert (network(x) - images).abs().max() > 1e-3


@pytest.mark.parametrize(("resolution", "layers"), [(32, 0), (64, 1), (128, 2), (256, 3)])
def test_dropout_of_the_authors(resolution: int, layers: int) -> None:
    found = [m for m in UNet(1, resolution, width=1).modules() if isinstance(m, nn.Dropout)]
    assert len(found) == layers
    assert all(layer.p == 0.5 for layer in found)


def test_unet_enlarges_small_sources() -> None:
    network, x = unet(16, scale=2), torch.randn(2, 2, 8, 8, dtype=torch.float64)
    same = unet(16)
    enlarged = interpolate(x, scale_factor=2, mode="bicubic")
    assert torch.equal(network(x), same(enlarged))


@pytest.mark.parametrize("resolution", [4, 28, 48])
def test_unet_refuses_what_it_cannot_halve(resolution: int) -> None:
    with pytest.raises(ValueError, match=f"data.resolution={resolution}: the U-Net takes a power"):
        UNet(1, resolution)


def test_layers_of_the_paper_that_cut_looks_at() -> None:
    network = ResNetTranslator(3, width=2, antialias=True)
    assert network.taps == [0, 4, 8, 12, 16]
    x = torch.randn(2, 3, 32, 32)
    maps = network.features(x)
    shapes = [(3, 38, 38), (4, 32, 32), (8, 16, 16), (8, 8, 8), (8, 8, 8)]
    assert [m.shape[1:] for m in maps] == shapes
    assert torch.equal(maps[0], nn.ReflectionPad2d(3)(x))
    for tap, found in zip(network.taps, maps, strict=True):
        assert torch.equal(found, network.encoder[: tap + 1](x))
    kinds = [type(network.encoder[tap]).__name__ for tap in network.taps]
    assert kinds == ["ReflectionPad2d", "Conv2d", "Conv2d", "ResidualBlock", "ResidualBlock"]


@pytest.mark.parametrize("blocks", [1, 2, 4, 6])
@pytest.mark.parametrize("antialias", [False, True])
def test_there_are_five_maps_for_any_number_of_blocks(blocks: int, antialias: bool) -> None:
    network = ResNetTranslator(1, width=2, blocks=blocks, antialias=antialias)
    maps = network.features(torch.randn(1, 1, 16, 16))
    assert [m.shape[1] for m in maps] == [1, 4, 8, 8, 8]


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (20, 32)])
def test_translators_keep_the_size(shape: tuple[int, int], antialias: bool) -> None:
    network = ResNetTranslator(1, width=2, blocks=1, antialias=antialias)
    assert network(torch.zeros(1, 1, *shape)).shape == (1, 1, *shape)
    with pytest.raises(InputError, match="30x32 pixels: this network takes multiples of 4"):
        network(torch.zeros(1, 1, 30, 32))


def test_a_translator_has_a_block() -> None:
    with pytest.raises(ValueError, match="blocks=0: give a number from 1"):
        ResNetTranslator(1, blocks=0)


def test_both_networks_of_a_cycle_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    pair = Translators(ResNetTranslator(1, 2, 1), ResNetTranslator(1, 2, 1))
    pair.compile()
    assert compiled == [pair["ab"], pair["ba"]]


def test_a_discriminator_of_each_domain() -> None:
    a, b = PatchDiscriminator(1, 8, width=2), PatchDiscriminator(1, 8, width=2)
    both = Discriminators(a, b)
    assert (both.of("a"), both.of("b")) == (a, b)


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_super_resolution_of_any_size(scale: int) -> None:
    images = SRResNet(3, scale, width=2, blocks=1)(torch.zeros(1, 3, 5, 7))
    assert images.shape == (1, 3, 5 * scale, 7 * scale)


def test_scales_that_are_no_power_of_two() -> None:
    with pytest.raises(ValueError, match=r"task\.factor=3: srgan takes 2, 4 or 8"):
        SRResNet(3, 3)


def test_projections_of_chosen_patches() -> None:
    torch.manual_seed(0)
    projector = PatchProjector([2, 3], dim=4)
    maps = [torch.randn(2, 2, 4, 4), torch.randn(2, 3, 2, 2)]
    positions = [torch.tensor([5, 0, 15]), torch.tensor([3])]
    first, second = projector(maps, positions)
    assert first.shape == (2, 3, 4)
    assert second.shape == (2, 1, 4)
    assert torch.allclose(first.norm(dim=2), torch.ones(2, 3))
    alone = projector.layers[0](maps[0][1, :, 1, 1])  # patch 5 of a map of four columns
    assert torch.allclose(first[1, 0], alone / alone.norm(), atol=1e-6)


@pytest.mark.parametrize("blocks", [1, 4])
def test_images_and_features_of_one_pass(blocks: int) -> None:
    torch.manual_seed(0)
    network = ResNetTranslator(1, width=4, blocks=blocks, antialias=True)
    x = torch.randn(2, 1, 16, 16)
    images, maps = network.forward_with_features(x)
    assert torch.equal(images, network(x))
    for found, expected in zip(maps, network.features(x), strict=True):
        assert torch.equal(found, expected)
