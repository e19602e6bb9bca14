"""Style-based networks and R3GAN: published parameter counts and properties."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate

from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.inner_product import InnerProduct, Mapped
from gan.conditioning.projection import Projection
from gan.errors import InputError
from gan.layers.activation import clamped, scaled_leaky_relu
from gan.layers.filtering import BoxDownsample, BoxUpsample, Downsample, Filter, Upsample
from gan.layers.modulation import AdaIN
from gan.networks.base import Discriminator, Generator
from gan.networks.r3gan import Bottleneck, R3GANDiscriminator, R3GANGenerator
from gan.networks.style import StyleGenerator
from gan.networks.stylegan import StyleGANDiscriminator, StyleGANGenerator
from gan.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan.schedules import Growth

SMALL: dict[str, Any] = {"capacity": 64, "most": 12}
STYLES: dict[str, Any] = {**SMALL, "style_dim": 8, "depth": 2}
EPSILON = 1e-7
FILTER = (1.0, 3.0, 3.0, 1.0)
RESNEXT: dict[str, Any] = {"resample_filter": FILTER, "width": 8, "group_size": 4, "depth": 1}
Players = tuple[Generator, Discriminator]
Make = Callable[[int, int, Conditioning], Players]


def stylegan(
    channels: int, resolution: int, y: Conditioning, growth: Growth | None = None, mixing: float = 0
) -> Players:
    grown = growth or Growth(resolution, progressive=False)
    return (
        StyleGANGenerator(
            6, channels, resolution, y, grown, True, EPSILON, mixing=mixing, **STYLES
        ),
        StyleGANDiscriminator(channels, resolution, y, grown, box=True, **SMALL),
    )


def stylegan2(plain: bool, channels: int, resolution: int, y: Conditioning) -> Players:
    return (
        StyleGAN2Generator(6, channels, resolution, y, skip=not plain, mixing=0, **STYLES),
        StyleGAN2Discriminator(channels, resolution, y, residual=not plain, **SMALL),
    )


def r3gan(channels: int, resolution: int, y: Conditioning) -> Players:
    return (
        R3GANGenerator(6, channels, resolution, y, **RESNEXT),
        R3GANDiscriminator(channels, resolution, y, **RESNEXT),
    )


MAKERS: dict[str, Make] = {
    "stylegan": stylegan,
    "stylegan2": partial(stylegan2, False),
    "stylegan2_plain": partial(stylegan2, True),
    "r3gan": r3gan,
}
NETWORKS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_stylegan2_parameter_count_for_cifar10() -> None:
    """20.2 and 23.1 million: the conditional networks of Karras et al. (2020b), layer by layer."""
    y = Mapped(10)
    generator = StyleGAN2Generator(512, 3, 32, y, depth=2, capacity=32768)
    discriminator = StyleGAN2Discriminator(3, 32, y, capacity=32768, residual=False, group=32)
    assert count(generator) == 20_215_315
    assert count(discriminator) == 23_089_664


@pytest.mark.parametrize(
    ("conditioning", "sizes"),
    [
        (InnerProduct(10), (20_781_952, 21_280_512)),  # CIFAR-10: 20.78 and 21.28 million
        (Unconditional(), (20_732_160, 20_683_776)),  # StackedMNIST: 20.73 and 20.68 million
    ],
)
def test_r3gan_parameter_count(conditioning: Conditioning, sizes: tuple[int, int]) -> None:
    generator = R3GANGenerator(64, 3, 32, conditioning, FILTER)
    discriminator = R3GANDiscriminator(3, 32, conditioning, FILTER)
    assert (count(generator), count(discriminator)) == sizes


@NETWORKS
@pytest.mark.parametrize("resolution", [8, 32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "conditioning",
    [Unconditional(), Projection(3), Mapped(3, 5, 2), InnerProduct(3, 5)],
    ids=["none", "projection", "mapped", "inner_product"],
)
def test_shapes_and_range(
    make: Make, resolution: int, channels: int, conditioning: Conditioning
) -> None:
    generator, discriminator = make(channels, resolution, conditioning)
    y = torch.arange(4) % 3 if conditioning.num_classes else None
    images = generator(torch.randn(4, 6), y)
    assert images.shape == (4, channels, resolution, resolution)
    assert discriminator(images, y).shape == (4,)
    generator.eval()
    z = 30 * torch.randn(4, 6)
    assert generator(z, y).abs().max() <= 1
    assert torch.equal(generator(z, y), generator(z, y))
    trained = [*generator.parameters(), *discriminator.parameters()]
    torch.autograd.backward(discriminator(generator.train()(z, y), y).square().sum())
    unused = sum(p.grad is None for p in trained)
    assert unused == 0


@NETWORKS
def test_labels_and_latents_change_images_and_logits(make: Make) -> None:
    generator, discriminator = make(1, 8, Mapped(3, 5, 2))
    with torch.no_grad():
        for weight in generator.parameters():
            weight.add_(0.3 * torch.randn_like(weight))  # R3GAN's blocks and noise begin at 0
    generator.eval()
    z, y = torch.randn(2, 6), torch.tensor([0, 1])
    images = generator(z, y)
    assert not torch.allclose(images[0], images[1], atol=1e-3)
    assert not torch.allclose(generator(z, 1 - y), images, atol=1e-3)
    logits = discriminator(images, y)
    assert not torch.allclose(discriminator(images, 1 - y), logits, atol=1e-4)


@NETWORKS
def test_networks_are_twice_differentiable(make: Make) -> None:
    """As R1 (D) and path length regularization (G) need, with gradients in every weight."""
    generator, discriminator = make(1, 8, Unconditional())
    images = torch.randn(4, 1, 8, 8, requires_grad=True)
    (slope,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    torch.autograd.backward(slope.square().sum())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in weights(discriminator))
    w, fake = generator.forward_with_styles(torch.randn(4, 6))
    (slope,) = torch.autograd.grad((fake * torch.randn_like(fake)).sum(), w, create_graph=True)
    torch.autograd.backward(slope.square().sum())
    assert all(p.grad is None or p.grad.isfinite().all() for p in generator.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


def weights(network: nn.Module) -> list[Tensor]:
    """Return the parameters on which input gradients depend."""
    return [p for n, p in network.named_parameters() if n != "head.linear.bias"]


@NETWORKS
def test_bfloat16_is_close_to_float32(make: Make) -> None:
    generator, discriminator = make(3, 16, Mapped(3, 5, 2))
    generator.eval()
    z, y = torch.randn(4, 6), torch.tensor([0, 1, 2, 0])
    exact = generator(z, y)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(z, y)
        logits = discriminator(exact, y)
    assert images.dtype != torch.float32 or logits.dtype != torch.float32
    assert (images - exact).square().mean() < 0.01 * exact.square().mean()
    assert (logits - discriminator(exact, y)).abs().max() < 0.1


def test_images_of_a_new_generator_have_unit_power() -> None:
    """A consequence of equalised weights, the gain sqrt(2) and demodulation."""
    generator = StyleGAN2Generator(64, 3, 32, Unconditional(), mixing=0, capacity=4096, skip=False)
    assert generator(torch.randn(64, 64)).std().item() == pytest.approx(1, rel=0.3)


def test_a_residual_block_is_the_identity_at_initialisation() -> None:
    block, x = Bottleneck(8, groups=2, expansion=2, blocks=8), torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x), x)
    first = Bottleneck(256, groups=8, expansion=2, blocks=16).layers[0]
    assert isinstance(first, nn.Conv2d)
    gain = (2 / 1.04) ** 0.5 * 16**-0.25
    assert first.weight.std().item() == pytest.approx(gain / 256**0.5, rel=0.02)


@pytest.mark.parametrize("kind", [R3GANDiscriminator, partial(R3GANGenerator, 6)])
def test_widths_must_fit_the_resolution(kind: Callable[..., nn.Module]) -> None:
    build = partial(kind, channels=1, resolution=16, conditioning=Unconditional())
    build(resample_filter=FILTER, width=[16, 32, 16])
    with pytest.raises(ValueError, match="resolution=16 has 3 stages"):
        build(resample_filter=FILTER, width=[16, 32])


def test_r3gan_resamples_with_the_filter_given() -> None:
    """In each stage: transposed and strided convolutions with its outer product, depthwise."""
    taps = torch.tensor([1.0, 2.0, 2.0, 1.0]) / 6
    kernel = (taps[:, None] * taps)[None, None]
    settings = {**RESNEXT, "resample_filter": taps.tolist()}
    generator = R3GANGenerator(6, 1, 16, Unconditional(), **settings)
    discriminator = R3GANDiscriminator(1, 16, Unconditional(), **settings)
    seen = 0
    for layer in [*generator.modules(), *discriminator.modules()]:
        x = torch.randn(2, 1, 6, 6)
        if isinstance(layer, Upsample):
            expected = conv_transpose2d(x, 4 * kernel, stride=2, padding=1)
        elif isinstance(layer, Downsample):
            expected = conv2d(x, kernel, stride=2, padding=1)
        else:
            continue
        assert torch.allclose(layer(x), expected, atol=1e-6)
        seen += 1
    assert seen == 4


@pytest.mark.parametrize("box", [True, False])
def test_each_stage_of_stylegan_resamples_alike(box: bool) -> None:
    growth, y = Growth(16, progressive=False), Unconditional()
    networks = (
        StyleGANGenerator(6, 1, 16, y, growth, box, EPSILON, **STYLES),
        StyleGANDiscriminator(1, 16, y, growth, box, **SMALL),
    )
    for network in networks:
        found = [m for m in network.modules() if isinstance(m, Filter)]
        assert [isinstance(m, BoxUpsample | BoxDownsample) for m in found] == [box] * 2
        assert all(torch.equal(m.kernel, torch.tensor([0.25, 0.5, 0.25])) for m in found)
    norms = [m for m in networks[0].modules() if isinstance(m, AdaIN)]
    assert [norm.epsilon for norm in norms] == [EPSILON] * 6


@pytest.mark.parametrize("plain", [False, True])
def test_activations_are_clamped_after_each_convolution(
    plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the authors' code: activations and images, not shortcuts and linear layers."""
    largest = []

    def spy(form: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def record(x: Tensor, limit: float | None = None, *shifts: Tensor) -> Tensor:
            if limit is not None:
                assert limit == 0.1
                largest.append(form(x, None, *shifts).abs().max().item())
            return form(x, limit, *shifts)

        return record

    monkeypatch.setattr("gan.networks.stylegan2.clamped", spy(clamped))
    monkeypatch.setattr("gan.networks.stylegan2.scaled_leaky_relu", spy(scaled_leaky_relu))
    generator = StyleGAN2Generator(6, 1, 16, Unconditional(), mixing=0, conv_clamp=0.1, **STYLES)
    discriminator = StyleGAN2Discriminator(
        1, 16, Unconditional(), residual=not plain, conv_clamp=0.1, **SMALL
    )
    styles = torch.randn(3, generator.layers, 8)
    images = generator.compute_images(styles)
    assert len(largest) == 5 + 3  # two layers a stage, one at 4 pixels; an image a stage
    assert largest[0] > 0.1
    assert images.abs().max() <= 0.1 * 3 + 1e-6  # a sum of three, upsampled
    discriminator(10 * images)
    assert len(largest) == 8 + 6  # from images, two a block, one at 4 pixels


def test_a_clamp_that_nothing_reaches_changes_nothing() -> None:
    torch.manual_seed(0)
    generator = style_generator()
    torch.manual_seed(0)
    limited = StyleGAN2Generator(6, 1, 16, Unconditional(), mixing=0, conv_clamp=256, **STYLES)
    w = torch.randn(2, generator.layers, 8)
    assert torch.equal(generator.eval().compute_images(w), limited.eval().compute_images(w))


@pytest.mark.parametrize("limit", [0, -1.0])
def test_a_clamp_must_be_positive(limit: float) -> None:
    with pytest.raises(InputError, match="conv_clamp="):
        StyleGAN2Generator(6, 1, 8, Unconditional(), conv_clamp=limit, **STYLES)
    with pytest.raises(InputError, match="conv_clamp="):
        StyleGAN2Discriminator(1, 8, Unconditional(), conv_clamp=limit, **SMALL)


def style_generator(mixing: float = 0.0) -> StyleGenerator:
    return StyleGAN2Generator(6, 1, 16, Unconditional(), mixing=mixing, **STYLES)


def test_style_mixing_switches_to_another_latent_at_one_layer() -> None:
    generator, z = style_generator(mixing=1.0), torch.randn(50, 6)
    styles = generator.styles(z)
    generator.mixing = 0.0
    own = generator.styles(z)[:, 0]
    begins = []
    for k, layers in enumerate(styles):
        foreign = [not torch.allclose(w, own[k]) for w in layers]
        begins.append(foreign.index(True))
        assert foreign == [layer >= begins[-1] for layer in range(generator.layers)]
        assert all(torch.allclose(w, own[k - 1], atol=1e-6) for w in layers[begins[-1] :])
    assert set(begins) == set(range(1, generator.layers))


def test_fraction_of_mixed_images() -> None:
    generator, z = style_generator(mixing=0.9), torch.randn(2000, 6)
    styles = generator.styles(z)
    mixed = (styles != styles[:, :1]).any(2).any(1).float().mean().item()
    assert mixed == pytest.approx(0.9, abs=4 * (0.09 / 2000) ** 0.5)


def test_truncation_moves_w_towards_its_mean() -> None:
    generator, z = style_generator().eval(), torch.randn(5, 6)
    generator.w_mean.normal_()
    full = generator.styles(z)
    generator.psi = 0.3
    expected = generator.w_mean + 0.3 * (full - generator.w_mean)
    assert torch.allclose(generator.styles(z), expected, atol=1e-6)
    generator.psi = 0.0
    assert torch.allclose(generator(z), generator(z)[:1].expand(5, -1, -1, -1), atol=1e-6)


def test_w_mean_is_updated_in_generator_updates_only() -> None:
    generator, z = style_generator(), torch.randn(40, 6)
    with torch.no_grad():
        generator(z)
    assert generator.w_mean.abs().max() == 0
    generator(z)
    expected = 0.005 * generator.mapping(z).mean(0)
    assert torch.allclose(generator.w_mean, expected, atol=1e-7)
    before = generator.w_mean.clone()
    generator.eval()(z)
    assert torch.equal(generator.w_mean, before)


@pytest.mark.parametrize("wrong", [{"depth": 0}, {"mixing": 1.5}, {"style_dim": 0}])
def test_illegal_mapping_arguments_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"depth=.*style_dim=.*mixing="):
        StyleGAN2Generator(6, 1, 8, Unconditional(), **{**STYLES, **wrong})


GROWTH = Growth(16, start=4, stable=100, fade=100)


def at_progress(images: int) -> tuple[StyleGANGenerator, StyleGANDiscriminator]:
    generator, discriminator = stylegan(1, 16, Unconditional(), GROWTH)
    assert isinstance(generator, StyleGANGenerator)
    assert isinstance(discriminator, StyleGANDiscriminator)
    for network in (generator, discriminator):
        network.set_progress(images)
    return generator.eval(), discriminator


def repeat_pixels(images: Tensor, factor: int) -> Tensor:
    return interpolate(images, scale_factor=factor)


@pytest.mark.parametrize(("images", "factor"), [(0, 4), (99, 4), (200, 2), (400, 1)])
def test_images_at_low_resolution_repeat_pixels(images: int, factor: int) -> None:
    generator, discriminator = at_progress(images)
    output = generator(torch.randn(3, 6))
    assert torch.equal(output, repeat_pixels(output[..., ::factor, ::factor], factor))
    if factor > 1:
        assert not torch.equal(
            output, repeat_pixels(output[..., :: 2 * factor, :: 2 * factor], 2 * factor)
        )
    real = torch.randn(3, 1, 16, 16)
    matched = generator.match_resolution(real)
    assert torch.allclose(matched, repeat_pixels(avg_pool2d(real, factor), factor), atol=1e-6)
    assert torch.allclose(discriminator(real), discriminator(matched), atol=1e-5)


def test_fade_in_is_continuous() -> None:
    """At its ends, the output is that of the previous and of the next resolution."""
    generator, discriminator = at_progress(100)
    z, real = torch.randn(3, 6), torch.rand(3, 1, 16, 16) * 2 - 1
    seen = {}
    for images in (100, 101, 150, 199, 200):
        generator.set_progress(images)
        discriminator.set_progress(images)
        matched = generator.match_resolution(real)
        seen[images] = (
            generator.compute_images(generator.styles(z)),
            discriminator(matched),
            matched,
        )
    for early, late, near in ((100, 101, 0.05), (199, 200, 0.05)):
        for a, b in zip(seen[early], seen[late], strict=True):
            assert (a - b).abs().max() <= near * max(a.abs().max(), 1)
    for k in (0, 2):  # pictures blend linearly
        assert torch.allclose(seen[150][k], (seen[100][k] + seen[200][k]) / 2, atol=1e-5)
    assert not torch.allclose(seen[100][0], seen[200][0], atol=1e-3)


def test_the_resolution_is_in_the_state_dict() -> None:
    generator, discriminator = at_progress(150)
    for network, fresh in zip((generator, discriminator), at_progress(0), strict=True):
        assert fresh.log2_resolution == 2.0
        fresh.load_state_dict(network.state_dict())
        assert fresh.log2_resolution == network.log2_resolution == 2.5
    z = torch.randn(2, 6)
    restored, _ = at_progress(0)
    restored.load_state_dict(generator.state_dict())
    assert torch.equal(restored(z), generator(z))


def test_without_growth_the_resolution_is_final() -> None:
    generator, _ = stylegan(1, 16, Unconditional())
    assert isinstance(generator, StyleGANGenerator)
    assert (generator.last_stage, generator.alpha) == (2, 1.0)
    assert torch.equal(generator.match_resolution(z := torch.randn(1, 1, 16, 16)), z)
