"""Layers of style-based generators compared with their formulas."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradgradcheck
from torch.nn.functional import avg_pool2d, conv2d

from gan.layers.deviation import MinibatchStdDev
from gan.layers.equalised import EqualisedConv2d, EqualisedLinear
from gan.layers.filtering import (
    BoxDownsample,
    BoxUpsample,
    Downsample,
    Filter,
    Upsample,
    upfirdn,
)
from gan.layers.modulation import AdaIN, ModulatedConv2d, modulated_conv2d
from gan.layers.noise import PixelNoise, noise_per_image


def test_equalised_linear_equals_its_formula() -> None:
    torch.manual_seed(0)
    layer = EqualisedLinear(50, 2000, bias=1.0, lr_multiplier=0.01)
    x = torch.randn(3, 50)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.02)
    assert layer.bias is not None
    expected = x @ (layer.weight.T * 0.01 / math.sqrt(50)) + 0.01 * layer.bias
    assert torch.allclose(layer(x), expected, atol=1e-5)
    assert (layer(x) - 1).std().item() == pytest.approx(x.square().mean().sqrt().item(), rel=0.05)


def test_lr_multiplier_scales_the_update() -> None:
    """An Adam step moves the output by lr_multiplier times the learning rate."""
    moves = []
    for multiplier in (1.0, 0.01):
        torch.manual_seed(0)
        layer = EqualisedLinear(50, 1, bias=None, lr_multiplier=multiplier)
        x = torch.ones(1, 50)
        before, optimizer = layer(x).item(), torch.optim.Adam(layer.parameters(), lr=0.1)
        torch.autograd.backward(layer(x).sum())
        optimizer.step()
        moves.append(layer(x).item() - before)
    assert moves[0] == pytest.approx(-0.1 * math.sqrt(50), rel=1e-3)
    assert moves[1] / moves[0] == pytest.approx(0.01, rel=1e-2)


def test_equalised_convolution_equals_its_formula() -> None:
    torch.manual_seed(0)
    layer, x = EqualisedConv2d(8, 64, 3), torch.randn(4, 8, 16, 16)
    expected = conv2d(x, layer.weight / math.sqrt(72), padding=1)
    assert torch.allclose(layer(x), expected, atol=1e-5)
    assert layer(x)[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.05)


def upfirdn_by_definition(
    row: Tensor, kernel: Tensor, up: int, down: int, padding: tuple[int, int]
) -> Tensor:
    """Return the one-dimensional definition, number by number."""
    stuffed = torch.zeros(len(row) * up, dtype=row.dtype)
    stuffed[::up] = row
    before, after = padding
    u = [0.0] * max(before, 0) + stuffed[max(-before, 0) :].tolist()
    u = u + [0.0] * after if after >= 0 else u[:after]
    taps = len(kernel)
    out = []
    for n in range((len(u) - taps) // down + 1):
        out.append(sum(float(kernel[m]) * u[down * n - m + taps - 1] for m in range(taps)))
    return torch.tensor(out, dtype=row.dtype)


@pytest.mark.parametrize(
    ("up", "down", "padding"),
    [
        (1, 1, (0, 0)),
        (2, 1, (2, 1)),
        (1, 2, (1, 1)),
        (3, 2, (2, 3)),
        (2, 1, (-1, 2)),
        (1, 1, (1, -1)),
    ],
)
def test_upfirdn_equals_its_definition(up: int, down: int, padding: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x, kernel = torch.randn(2, 3, 6, 7).double(), torch.randn(4).double()
    rows = torch.stack(
        [upfirdn_by_definition(row, kernel, up, down, padding) for row in x.flatten(0, 2)]
    ).reshape(2, 3, 6, -1)
    columns = rows.transpose(2, 3)
    expected = (
        torch.stack(
            [
                upfirdn_by_definition(column, kernel, up, down, padding)
                for column in columns.flatten(0, 2)
            ]
        )
        .reshape(*columns.shape[:3], -1)
        .transpose(2, 3)
    )
    assert torch.allclose(upfirdn(x, kernel, up, down, padding), expected)


def test_resampling_keeps_constants_and_means() -> None:
    ones = torch.ones(1, 2, 8, 8)
    assert Upsample()(ones).shape == (1, 2, 16, 16)
    assert torch.allclose(Upsample()(ones)[..., 2:-2, 2:-2], torch.tensor(1.0))
    assert torch.allclose(Downsample()(ones)[..., 1:-1, 1:-1], torch.tensor(1.0))
    assert torch.allclose(Filter()(ones)[..., 2:-2, 2:-2], torch.tensor(1.0))
    spot = torch.zeros(1, 1, 8, 8)
    spot[..., 4, 4] = 1
    assert Upsample()(spot).sum().item() == pytest.approx(4)
    assert Downsample()(spot).sum().item() == pytest.approx(0.25)


def test_upsampling_is_the_transpose_of_downsampling() -> None:
    """<up(x), y> = 4 <x, down(y)> for a symmetric filter."""
    torch.manual_seed(0)
    x, y = torch.randn(1, 1, 5, 5).double(), torch.randn(1, 1, 10, 10).double()
    up, down = Upsample().double(), Downsample().double()
    assert (up(x) * y).sum().item() == pytest.approx(4 * (x * down(y)).sum().item())


def test_upsampling_is_centred() -> None:
    """A linear ramp stays linear, with pixel centres at half-integer positions."""
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    middle = Upsample()(ramp)[0, 0, 8, 4:12]
    assert torch.allclose(middle, torch.arange(4, 12) / 2 - 0.25, atol=1e-5)


def grouped(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool) -> Tensor:
    """Return the convolution of each image with its own modulated weights, as in the paper."""
    images = []
    for image, s in zip(x, style, strict=True):
        weights = weight * s[None, :, None, None]
        if demodulate:
            weights = weights / (weights.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        images.append(conv2d(image[None], weights, padding=weight.shape[2] // 2))
    return torch.cat(images)


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulation_equals_separate_weights_per_image(demodulate: bool) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(3, 5, 6, 6).double(), torch.randn(4, 5, 3, 3).double()
    style = torch.randn(3, 5).double()
    expected = grouped(x, weight, style, demodulate)
    assert torch.allclose(modulated_conv2d(x, weight, style, demodulate), expected)


def test_demodulated_outputs_have_unit_variance_for_unit_variance_inputs() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(64, 32, 3, style_dim=16)
    maps = layer(torch.randn(64, 64, 8, 8), 5 * torch.randn(64, 16))[:, :, 1:-1, 1:-1]
    assert maps.std().item() == pytest.approx(1, rel=0.03)
    assert maps.std((0, 2, 3)).max() < 1.1


def test_initial_style_scale_is_one() -> None:
    torch.manual_seed(0)
    layer, x = ModulatedConv2d(4, 3, 3, style_dim=2, demodulate=False), torch.randn(2, 4, 5, 5)
    plain = conv2d(x, layer.weight / 6, padding=1)
    assert torch.allclose(layer(x, torch.zeros(2, 2)), plain, atol=1e-5)


def test_adain_equals_its_formula() -> None:
    torch.manual_seed(0)
    layer, x, w = AdaIN(3, 5), torch.randn(2, 3, 4, 4), torch.randn(2, 5)
    x[0] *= 1e-3  # maps of little contrast count in full
    scale, bias = layer.style(w).chunk(2, dim=1)
    expected = torch.empty_like(x)
    for i in range(2):
        for c in range(3):
            maps = x[i, c]
            normal = (maps - maps.mean()) / (maps.var(correction=0) + 1e-8).sqrt()
            expected[i, c] = normal * (1 + scale[i, c]) + bias[i, c]
    assert torch.allclose(layer(x, w), expected, atol=1e-5)


@pytest.mark.parametrize("layer", [Filter(), Upsample(), Downsample()])
def test_filters_are_twice_differentiable(layer: nn.Module) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, 4).double().requires_grad_()
    assert gradgradcheck(lambda x: layer.double()(x).square(), x)


def test_modulation_is_twice_differentiable() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 2, 3, 3).double(), torch.randn(2, 2, 3, 3).double()
    style = torch.rand(2, 2).double() + 0.5
    inputs = [tensor.requires_grad_() for tensor in (x, weight, style)]
    assert gradgradcheck(modulated_conv2d, inputs, atol=1e-4)


def test_minibatch_std_equals_its_formula() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 2, 3, 3)
    out = MinibatchStdDev(size=4)(x)  # 4 does not divide 6: groups of 3
    assert torch.equal(out[:, :2], x)
    for group in range(2):
        images = x[[group, group + 2, group + 4]]
        deviation = torch.stack(
            [((images - images.mean(0)) ** 2).mean(0)[c].add(1e-8).sqrt() for c in range(2)]
        ).mean()
        for i in (group, group + 2, group + 4):
            assert torch.allclose(out[i, 2], deviation.expand(3, 3), atol=1e-6)


def test_minibatch_std_of_equal_images_is_zero() -> None:
    out = MinibatchStdDev()(torch.randn(1, 2, 3, 3).expand(4, -1, -1, -1))
    assert out[:, 2].max() <= 1.01e-4


RESAMPLING = [
    *((1, down, (n, n)) for down, n in [(1, 1), (1, 2), (2, 1), (2, 2), (1, 0)]),
    *((2, 1, padding) for padding in [(2, 1), (3, 2), (1, 0), (0, -1)]),
    *((3, 1, padding) for padding in [(3, 1), (2, 0)]),
]


@pytest.mark.parametrize(("up", "down", "padding"), RESAMPLING)
@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (2, 4, 8, 6)])
def test_filters_of_channels_last_maps_equal_those_of_contiguous_ones(
    up: int, down: int, padding: tuple[int, int], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    kernel = torch.tensor([0.1, 0.5, 0.3, 0.1]).double()  # not symmetric
    x, found = torch.randn(shape).double(), []
    for form in (torch.contiguous_format, torch.channels_last):
        maps = x.contiguous(memory_format=form).requires_grad_()
        out = upfirdn(maps, kernel, up, down, padding)
        (first,) = torch.autograd.grad(out.sin().sum(), maps, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), maps)
        found.append([out, first, second])
    for plain, fast in zip(*found, strict=True):
        assert torch.allclose(plain, fast, rtol=1e-12, atol=1e-13)
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("up", "down", "padding"), [(1, 1, (2, 1)), (2, 1, (1, 1)), (2, 2, (2, 1)), (2, 1, (4, 3))]
)
def test_other_filters_of_channels_last_maps(up: int, down: int, padding: tuple[int, int]) -> None:
    x, kernel = torch.randn(2, 3, 6, 4), torch.tensor([0.1, 0.5, 0.3, 0.1])
    plain = upfirdn(x, kernel, up, down, padding)
    maps = x.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(upfirdn(maps, kernel, up, down, padding), plain, atol=1e-6)


@pytest.mark.parametrize("up", [1, 2])
def test_a_kernel_that_is_trained_has_a_gradient_in_either_layout(up: int) -> None:
    x, found = torch.randn(2, 3, 4, 4), list[Tensor]()
    for form in (torch.contiguous_format, torch.channels_last):
        kernel = torch.tensor([0.2, 0.5, 0.2, 0.1], requires_grad=True)
        out = upfirdn(x.contiguous(memory_format=form), kernel, up, padding=(up, 1))
        found += torch.autograd.grad(out.square().sum(), kernel)
    plain, fast = found
    assert torch.allclose(plain, fast, atol=1e-4)


def test_filters_of_channels_last_maps_have_gradients_under_autocast() -> None:
    maps = torch.randn(2, 4, 8, 8).bfloat16().contiguous(memory_format=torch.channels_last)
    maps.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = upfirdn(maps, Filter().kernel, padding=(1, 1))
    (gradient,) = torch.autograd.grad(out.sum(), maps)
    assert out.dtype == gradient.dtype == torch.bfloat16
    assert gradient[:, :, 2:-2, 2:-2].float().sub(1).abs().max() < 0.02


@pytest.mark.parametrize("size", [1, 3])
def test_upsampling_convolution_equals_convolution_after_zero_insertion(size: int) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 6, 6).double(), torch.randn(4, 3, size, size).double()
    stuffed = torch.zeros(2, 3, 12, 12).double()
    stuffed[:, :, ::2, ::2] = x
    maps = conv2d(stuffed, weight.flip(2, 3), padding=size // 2)
    filtered = upfirdn(maps, 2 * Upsample().double().kernel, padding=(2, 1))
    actual = Upsample().double().upsample_conv2d(x, weight)
    assert actual.shape == (2, 4, 12, 12)
    assert torch.allclose(actual[..., 2:-2, 2:-2], filtered[..., 2:-2, 2:-2])


@pytest.mark.parametrize("size", [1, 3])
def test_downsampling_convolution_equals_subsampled_convolution(size: int) -> None:
    torch.manual_seed(0)
    x, convolution = torch.randn(2, 3, 12, 12), EqualisedConv2d(3, 4, size)
    whole = convolution(Filter()(x))  # centred half a pixel earlier
    actual = Downsample().conv2d_downsample(x, convolution)
    assert actual.shape == (2, 4, 6, 6)
    assert torch.allclose(actual[..., 1:-1, 1:-1], whole[..., 3:-1:2, 3:-1:2], atol=1e-5)


def blur(x: Tensor) -> Tensor:
    """Return maps blurred by 1 2 1, of the same size."""
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 3, 3)
    return conv2d(x, kernel, padding=1, groups=x.shape[1])


def test_upsampling_with_a_box_repeats_convolves_and_blurs() -> None:
    """At the borders, too: each operation has its own zero padding."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 5, 5).double(), torch.randn(4, 3, 3, 3).double()
    repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = blur(conv2d(repeated, weight, padding=1))
    actual = BoxUpsample((1, 2, 1)).double().upsample_conv2d(x, weight)
    assert torch.allclose(actual, expected, rtol=0, atol=1e-12)


def test_downsampling_with_a_box_blurs_convolves_and_averages() -> None:
    torch.manual_seed(0)
    x, convolution = torch.randn(2, 3, 10, 10).double(), EqualisedConv2d(3, 4, 3).double()
    nn.init.normal_(convolution.get_parameter("bias"))
    expected = avg_pool2d(convolution(blur(x)), 2)
    actual = BoxDownsample((1, 2, 1)).double().conv2d_downsample(x, convolution)
    assert torch.allclose(actual, expected, rtol=0, atol=1e-12)


def test_large_styles_do_not_overflow_float16() -> None:
    torch.manual_seed(0)
    x, weight, style = torch.randn(2, 64, 4, 4), torch.randn(8, 64, 3, 3), torch.randn(2, 64)
    expected = modulated_conv2d(x, weight, style)
    actual = modulated_conv2d(x.half(), weight, 1e5 * style)  # the norm cancels the factor
    assert torch.allclose(actual.float(), expected, atol=0.01)


def test_modulated_upsampling_equals_the_paper() -> None:
    torch.manual_seed(0)
    x, style = torch.randn(3, 4, 5, 5), torch.rand(3, 4) + 0.5
    weight, up = torch.randn(6, 4, 3, 3), Upsample()
    actual = modulated_conv2d(x, weight, style, convolve=up.upsample_conv2d)
    for image, s, expected in zip(x, style, actual, strict=True):
        weights = weight * s[None, :, None, None]
        weights = weights / (weights.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        assert torch.allclose(up.upsample_conv2d(image[None], weights)[0], expected, atol=1e-5)


def test_noise_is_random_in_training_and_fixed_in_evaluation() -> None:
    torch.manual_seed(0)
    noise, x = PixelNoise(8, channels=3), torch.zeros(4, 3, 8, 8)
    assert torch.equal(noise(x), x)  # strength 0 at initialisation
    with torch.no_grad():
        noise.strength.copy_(torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1))
    drawn = noise(x)
    assert drawn[:, 0].abs().max() == 0
    assert torch.equal(drawn[:, 2], 2 * drawn[:, 1])
    assert not torch.equal(drawn[0], drawn[1])
    noise.eval()
    assert torch.equal(noise(x)[0, 1], noise.constant[0, 0])
    assert torch.equal(noise(x)[0], noise(x)[3])


def two_noise_layers() -> nn.Sequential:
    layers = nn.Sequential(PixelNoise(64), PixelNoise(64)).eval()
    for layer in layers:
        nn.init.ones_(layer.strength)  # type: ignore[arg-type]
    return layers


def test_noise_per_image_depends_on_the_key_only() -> None:
    layers, x = two_noise_layers(), torch.zeros(3, 1, 64, 64)
    with noise_per_image(layers, [(1, 0), (1, 1), (1, 2)]):
        first, both = layers[0](x), layers(x)
    fields = torch.cat([first, both - first]).flatten(1)  # per image and layer
    assert torch.allclose(fields @ fields.T / 64**2, torch.eye(6), atol=5 / 64)
    assert fields.mean(1).abs().max() < 5 / 64
    with noise_per_image(layers, [(1, 2), (1, 0)]):
        assert torch.equal(layers(x[:2]), both[[2, 0]])
    alike = layers(x)
    assert torch.equal(alike[0], alike[2])


def test_no_keys_keep_the_fixed_noise() -> None:
    layers, x = two_noise_layers(), torch.zeros(2, 1, 64, 64)
    expected = layers(x)
    with noise_per_image(layers, ()):
        assert torch.equal(layers(x), expected)
    with pytest.raises(RuntimeError), noise_per_image(layers, [(0,), (1,), (2,)]):
        layers(x)  # three noise maps, two images
    assert torch.equal(layers(x), expected)
