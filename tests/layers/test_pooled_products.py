"""Pooled and upsampled convolutions of nine products equal the two operations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from gan.layers import pooled_products
from gan.layers.equalised import EqualisedConv2d
from gan.layers.filtering import BoxDownsample, BoxUpsample
from gan.layers.folding import (
    FoldedConv2d,
    PooledConv2d,
    UpsampledConv2d,
    pooled_conv2d,
    upsampled_conv2d,
)
from gan.layers.pooled_products import POOLED_CONVOLUTION
from gan.layers.winograd import Conv3x3

Form = Callable[..., Tensor]
LAYERS = [PooledConv2d, UpsampledConv2d]


def pool_after(x: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over 2x2 pixels of a convolution."""
    return avg_pool2d(conv2d(x, weight, padding=1), 2)


def upsample_before(x: Tensor, weight: Tensor) -> Tensor:
    """Return the convolution of repeated pixels."""
    return conv2d(interpolate(x, scale_factor=2), weight, padding=1)


def derivatives(form: Form, x: Tensor, weight: Tensor) -> list[Tensor]:
    """Return the output, its gradients, and those of the squared norms of the gradients."""
    inputs = x.clone().requires_grad_(), weight.clone().requires_grad_()
    out = form(*inputs)
    first = torch.autograd.grad(out.sin().sum(), inputs, create_graph=True)
    norms = torch.stack([gradient.square().sum() for gradient in first])
    return [out, *first, *torch.autograd.grad(norms.sum(), inputs)]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the products be taken for any maps, in blocks of eight pooled pixels."""
    monkeypatch.setattr(pooled_products, "BLOCK", 8)
    monkeypatch.setattr(pooled_products, "pays", lambda *_: True)


PAIRS = [(pooled_conv2d, pool_after), (upsampled_conv2d, upsample_before)]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("form", "plain"), PAIRS)
@pytest.mark.parametrize("sides", [(2, 2), (4, 6), (8, 4)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_two_derivatives(
    form: Form, plain: Form, sides: tuple[int, int], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 3, *sides).double().contiguous(memory_format=layout)
    weight = torch.randn(7, 3, 3, 3).double().contiguous(memory_format=layout)
    found = derivatives(lambda x, w: form(x, w, winograd=True), x, weight)
    for ours, theirs in zip(found, derivatives(plain, x, weight), strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("form", "plain"), PAIRS)
def test_errors_in_32_bits_are_those_of_a_direct_convolution(form: Form, plain: Form) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(4, 96, 8, 8), torch.randn(96, 96, 3, 3) / 30
    exact = derivatives(plain, x.double(), weight.double())
    found = derivatives(lambda x, w: form(x, w, winograd=True), x, weight)
    for ours, theirs in zip(found, exact, strict=True):
        assert (ours.double() - theirs).norm() < 1e-6 * theirs.norm()


def takes_them(compute: Callable[[], Tensor], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether a computation takes the nine products, forwards or transposed."""
    called: list[str] = []

    def recorded(name: str) -> Form:
        plain: Form = getattr(POOLED_CONVOLUTION, name)

        def record(*inputs: Tensor) -> Tensor:
            called.append(name)
            return plain(*inputs)

        return record

    with monkeypatch.context() as patch, torch.no_grad():
        for name in ("compute", "transpose"):
            patch.setattr(POOLED_CONVOLUTION, name, recorded(name))
        compute()
    return bool(called)


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_take_them_where_they_pay(
    kind: type[FoldedConv2d], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = kind(96, 96), torch.randn(1, 96, 4, 4)
    assert takes_them(lambda: layer(x), monkeypatch)
    few = x[:, :, :2] if kind is PooledConv2d else x[:, :, :1]
    assert not takes_them(lambda: layer(few), monkeypatch)
    assert not takes_them(lambda: kind(96, 95)(x), monkeypatch)
    assert not takes_them(lambda: kind(95, 96)(x[:, :95]), monkeypatch)
    assert not takes_them(lambda: kind(96, 96).double()(x.double()), monkeypatch)
    with torch.autocast("cpu", torch.bfloat16):
        assert not takes_them(lambda: layer(x), monkeypatch)
    layer.winograd = False
    assert not takes_them(lambda: layer(x), monkeypatch)
    layer.winograd, layer.fold = True, False
    assert not takes_them(lambda: layer(x), monkeypatch)


def test_pooling_of_odd_sides_is_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    pooled, upsampled = PooledConv2d(96, 96), UpsampledConv2d(96, 96)
    for sides in ((4, 5), (5, 4)):
        x = torch.randn(1, 96, *sides)
        assert not takes_them(lambda x=x: pooled(x), monkeypatch)  # type: ignore[misc]
        assert takes_them(lambda x=x: upsampled(x), monkeypatch)  # type: ignore[misc]


def test_style_based_networks_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    x, convolution = torch.randn(1, 96, 8, 8), EqualisedConv2d(96, 96, 3)
    up, down = BoxUpsample([1, 2, 1]), BoxDownsample([1, 2, 1])
    assert takes_them(lambda: up.upsample_conv2d(x, convolution.weight), monkeypatch)
    assert takes_them(lambda: down.conv2d_downsample(x, convolution), monkeypatch)
    up.winograd = down.winograd = False
    assert not takes_them(lambda: up.upsample_conv2d(x, convolution.weight), monkeypatch)
    assert not takes_them(lambda: down.conv2d_downsample(x, convolution), monkeypatch)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_with_bias_equals_the_direct_one(kind: type[FoldedConv2d]) -> None:
    torch.manual_seed(0)
    layer, x = kind(96, 96), torch.randn(2, 96, 4, 4, requires_grad=True)
    nn.init.normal_(layer.get_parameter("bias"))
    found = []
    for layer.winograd in (True, False):
        out = layer(x)
        found.append([out, *torch.autograd.grad(out.sin().sum(), [x, *layer.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        assert (ours - theirs).norm() < 1e-6 * theirs.norm()


@pytest.mark.parametrize("kind", LAYERS)
def test_an_image_does_not_depend_on_its_batch(kind: type[FoldedConv2d]) -> None:
    layer = kind(96, 96)
    for side in (2, 4, 8):
        x = torch.randn(19, 96, side, side)
        with torch.no_grad():
            for size in (1, 4):
                parts = [layer(part) for part in torch.split(x, size)]
                assert torch.equal(torch.cat(parts), layer(x))


@pytest.mark.parametrize("kind", [*LAYERS, Conv3x3])
def test_no_images_have_no_gradient(kind: type[FoldedConv2d]) -> None:
    layer = kind(128, 128)
    out = layer(torch.randn(0, 128, 16, 16))
    assert out.shape[:2] == (0, 128)
    (gradient,) = torch.autograd.grad(out.sum(), [layer.weight])
    assert torch.equal(gradient, torch.zeros(128, 128, 3, 3))


@pytest.mark.parametrize("kind", [*LAYERS, Conv3x3])
def test_gradients_are_in_32_bits_where_the_backward_pass_has_autocast(
    kind: type[FoldedConv2d],
) -> None:
    torch.manual_seed(0)
    layer, x = kind(128, 128), torch.randn(2, 128, 16, 16)
    out = layer(x).square().sum()
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = torch.autograd.grad(out, [layer.weight], retain_graph=True)
    (expected,) = torch.autograd.grad(out, [layer.weight])
    assert torch.equal(found, expected)
