"""Folded convolutions equal the convolution and the change of resolution."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate
from torch.nn.utils.parametrizations import spectral_norm

from gan.layers.folding import FoldedConv2d, PooledConv2d, UpsampledConv2d
from gan.layers.residual import DownBlock, UpBlock


class UnconditionalNorm(nn.BatchNorm2d):
    """Batch normalisation that takes a condition and ignores it."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the maps, normalised."""
        return super().forward(x)


Kind = type[PooledConv2d] | type[UpsampledConv2d]
KINDS = [PooledConv2d, UpsampledConv2d]
SHAPES = [(8, 8), (6, 10), (1, 2), (7, 5), (32, 32)]


def plain(layer: FoldedConv2d, x: Tensor) -> Tensor:
    """Return the result of the two operations, written out."""
    if isinstance(layer, PooledConv2d):
        return avg_pool2d(conv2d(x, layer.weight, layer.bias, padding=1), 2)
    doubled = interpolate(x, scale_factor=2)
    return conv2d(doubled, layer.weight, layer.bias, padding=1)


def derivatives(function: Callable[[Tensor], Tensor], layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Return outputs, their gradients, and those of the squared norm of the gradient by x."""
    x = x.clone().requires_grad_()
    out = function(x)
    weights = list(layer.parameters())
    of_x, *of_weights = torch.autograd.grad(out.sin().sum(), [x, *weights], create_graph=True)
    second = torch.autograd.grad(of_x.square().sum(), [x, *weights], allow_unused=True)
    return [out, of_x, *of_weights, *(g for g in second if g is not None)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_two_derivatives(kind: Kind, shape: tuple[int, int]) -> None:
    if kind is PooledConv2d and min(shape) < 2:
        shape = (2, 3)
    layer, x = kind(3, 4).double(), torch.randn(2, 3, *shape, dtype=torch.float64)
    found = derivatives(layer, layer, x)
    expected = derivatives(lambda images: plain(layer, images), layer, x)
    assert len(found) == len(expected) >= 6
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_in_32_bits(kind: Kind) -> None:
    layer, x = kind(64, 64), torch.randn(2, 64, 16, 16)
    exact = plain(copy.deepcopy(layer).double(), x.double())
    error = (layer(x) - exact).norm() / exact.norm()
    assert error < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_spectral_normalisation_is_that_of_the_3x3_kernel(kind: Kind) -> None:
    torch.manual_seed(0)
    layer = kind(3, 4).double()
    spectral_norm(layer).eval()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert layer.weight.shape == (4, 3, 3, 3)
    assert torch.allclose(layer(x), plain(layer, x), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16(kind: Kind) -> None:
    layer, x = kind(16, 16), torch.randn(2, 16, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    assert (out.float() - plain(layer, x)).norm() / plain(layer, x).norm() < 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_the_plain_form_on_request(kind: Kind) -> None:
    layer, x = kind(3, 4), torch.randn(2, 3, 8, 8)
    layer.fold = False
    assert torch.equal(layer(x), plain(layer, x))


def test_parameters_are_those_of_the_plain_convolution() -> None:
    for kind in KINDS:
        assert {name: tuple(p.shape) for name, p in kind(3, 4).named_parameters()} == {
            "weight": (4, 3, 3, 3),
            "bias": (4,),
        }


@pytest.mark.parametrize("block", [UpBlock(8, 4, UnconditionalNorm), DownBlock(8, 4, down=True)])
def test_blocks_fold(block: nn.Module) -> None:
    folded = [m for m in block.modules() if isinstance(m, FoldedConv2d)]
    assert len(folded) == 1
    x = torch.randn(2, 8, 8, 8)
    out = block(x)
    folded[0].fold = False
    assert torch.allclose(out, block(x), atol=1e-5)
