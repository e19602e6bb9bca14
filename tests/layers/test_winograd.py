"""Winograd's convolution equals the direct one."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from gan.layers import winograd
from gan.layers.equalised import EqualisedConv2d
from gan.layers.modulation import ModulatedConv2d
from gan.layers.spectral import apply_spectral_norm
from gan.layers.winograd import Conv3x3, SameConv2d

SHAPES = [(1, 4, 4), (3, 16, 16), (5, 8, 12)]


def direct(x: Tensor, weight: Tensor) -> Tensor:
    """Return the convolution of torch."""
    return conv2d(x, weight, padding=1)


def derivatives(
    form: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor
) -> list[Tensor]:
    """Return the output, its gradients, and those of the squared norms of the gradients."""
    inputs = x.clone().requires_grad_(), weight.clone().requires_grad_()
    out = form(*inputs)
    first = torch.autograd.grad(out.sin().sum(), inputs, create_graph=True)
    norms = torch.stack([gradient.square().sum() for gradient in first])
    second = torch.autograd.grad(norms.sum(), inputs)
    return [out, *first, *second]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the convolution in Winograd's form, whatever its size, in blocks of few tiles."""
    monkeypatch.setattr(winograd, "BLOCK", 8)
    monkeypatch.setattr(winograd, "_pays", lambda x, weight: True)
    return SameConv2d().same_conv2d


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_values_and_two_derivatives(
    eager: Callable[[Tensor, Tensor], Tensor],
    shape: tuple[int, int, int],
    form: torch.memory_format,
) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape[0], 3, *shape[1:]).double().contiguous(memory_format=form)
    weight = torch.randn(5, 3, 3, 3).double().contiguous(memory_format=form)
    for ours, theirs in zip(
        derivatives(eager, x, weight), derivatives(direct, x, weight), strict=True
    ):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the relative error in the L2 norm."""
    return float((found.double() - expected).detach().norm() / expected.detach().norm())


def test_errors_in_32_bits_are_those_stated(eager: Callable[[Tensor, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 128, 16, 16), torch.randn(128, 128, 3, 3) / 34
    expected = derivatives(direct, x.double(), weight.double())
    found = derivatives(eager, x, weight)
    errors = [relative(ours, exact) for ours, exact in zip(found, expected, strict=True)]
    assert max(errors) < 1e-5
    assert (found[0].double() - expected[0]).abs().max() < 2e-5 * expected[0].abs().max()


def takes_it(layer: SameConv2d, monkeypatch: pytest.MonkeyPatch, x: Tensor) -> bool:
    """Return whether the layer computes Winograd's form for x."""
    called: list[bool] = []
    plain = winograd.CONVOLUTION.compute

    def record(x: Tensor, weight: Tensor) -> Tensor:
        called.append(True)
        return plain(x, weight)

    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(winograd.CONVOLUTION, "compute", record)
        layer(*((x, torch.ones(len(x), 4)) if isinstance(layer, ModulatedConv2d) else (x,)))
    return bool(called)


def test_layers_take_it_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = EqualisedConv2d(128, 128, 3), torch.randn(1, 128, 16, 16)
    assert takes_it(layer, monkeypatch, x)
    assert takes_it(ModulatedConv2d(128, 128, 3, 4), monkeypatch, x)
    assert takes_it(Conv3x3(128, 128), monkeypatch, x)
    assert not takes_it(ModulatedConv2d(128, 128, 3, 4, up=True), monkeypatch, x)
    assert not takes_it(layer, monkeypatch, x[:, :, :12, :12])
    assert not takes_it(layer, monkeypatch, torch.randn(1, 128, 18, 18))
    for sides, taken in (((16, 20), True), ((20, 18), False), ((18, 20), False)):
        assert takes_it(layer, monkeypatch, torch.randn(1, 128, *sides)) == taken
    for sides in ((12, 16), (16, 12)):
        assert not takes_it(layer, monkeypatch, torch.randn(1, 128, *sides))
    assert not takes_it(EqualisedConv2d(128, 64, 3), monkeypatch, x)
    assert not takes_it(EqualisedConv2d(128, 128, 1), monkeypatch, x)
    assert not takes_it(EqualisedConv2d(128, 128, 3).double(), monkeypatch, x.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert not takes_it(layer, monkeypatch, x)
    layer.winograd = False
    assert not takes_it(layer, monkeypatch, x)


@pytest.mark.parametrize("kind", [Conv3x3, partial(EqualisedConv2d, kernel_size=3)])
def test_a_layer_with_bias_equals_the_direct_one(kind: Callable[[int, int], SameConv2d]) -> None:
    torch.manual_seed(0)
    layer, x = kind(128, 128), torch.randn(2, 128, 16, 16, requires_grad=True)
    torch.nn.init.normal_(layer.get_parameter("bias"))
    found = []
    for layer.winograd in (True, False):
        out = layer(x)
        found.append([out, *torch.autograd.grad(out.sin().sum(), [x, *layer.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        assert relative(ours, theirs.double()) < 1e-5


def test_a_layer_with_spectral_norm_is_pytorch_s() -> None:
    found = []
    for kind in (Conv3x3, partial(torch.nn.Conv2d, kernel_size=3, padding=1)):
        torch.manual_seed(0)
        layer, x = kind(128, 128), torch.randn(2, 128, 16, 16)
        apply_spectral_norm(layer)
        out = layer(x)
        found.append([out, *torch.autograd.grad(out.sin().sum(), [*layer.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        assert relative(ours, theirs.double()) < 1e-5
