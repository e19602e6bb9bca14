"""Convolutions as bilinear maps equal PyTorch's own, with two derivatives."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d, conv_transpose2d
from torch.utils.checkpoint import checkpoint

from gan.layers.checkpointing import recompute_activations
from gan.layers.convolution import (
    BilinearConvolutions,
    same_convolutions,
    twice_differentiable,
)
from gan.regularizers.gradient_norm import squared_gradient_norm

CPU = torch.device("cpu")
LAYOUTS = [torch.contiguous_format, torch.channels_last]
PLAIN: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": (1, 2), "stride": (2, 1)},
    {"dilation": 2},
    {"groups": 2, "padding": 1},
    {"groups": 2, "dilation": (1, 2), "stride": (1, 2), "padding": 2},
]
TRANSPOSED: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1, "output_padding": 1},
    {"stride": (2, 3), "padding": (0, 1), "output_padding": (0, 2)},
    {"dilation": (2, 1)},
    {"groups": 2, "stride": 2, "dilation": 2, "output_padding": 1},
]
CASES = [(conv2d, s) for s in PLAIN] + [(conv_transpose2d, s) for s in TRANSPOSED]


def derivatives(form: Callable[..., Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """Return the output, its gradients, and those of the squared norms of the gradients."""
    leaves = [value.clone().requires_grad_() for value in inputs]
    out = form(*leaves)
    first = torch.autograd.grad(out.sin().sum(), leaves, create_graph=True)
    norms = torch.stack([gradient.square().sum() for gradient in first])
    return [out, *first, *torch.autograd.grad(norms.sum(), leaves)]


def bilinear(form: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function that computes with convolutions as bilinear maps."""

    def compute(*inputs: Tensor) -> Tensor:
        with BilinearConvolutions():
            out = form(*inputs)
        assert not any("Convolution" in name for name in nodes(out))
        return out

    return compute


def nodes(out: Tensor) -> set[str]:
    """Return the names of the nodes of a graph."""
    found, waiting = set[Any](), [out.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [following for following, _ in node.next_functions]
    return {node.name() for node in found}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("form", "settings"), CASES)
def test_values_and_two_derivatives(
    form: Any, settings: dict[str, Any], bias: bool, layout: torch.memory_format
) -> None:
    before, after, groups = 4, 6, settings.get("groups", 1)
    shape = (after, before // groups) if form is conv2d else (before, after // groups)
    x = torch.randn(2, before, 7, 8, dtype=torch.float64).contiguous(memory_format=layout)
    weight = torch.randn(*shape, 3, 2, dtype=torch.float64).contiguous(memory_format=layout)
    inputs = [x, weight, *([torch.randn(after, dtype=torch.float64)] if bias else [])]

    def convolve(*inputs: Tensor) -> Tensor:
        out: Tensor = form(*inputs, **settings)
        return out

    found = zip(derivatives(bilinear(convolve), inputs), derivatives(convolve, inputs), strict=True)
    for value, plain in found:
        assert torch.allclose(value, plain, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [1, 3])
def test_in_32_bits(size: int, layout: torch.memory_format) -> None:
    x = torch.randn(3, 8, 6, 6).contiguous(memory_format=layout)
    weight = torch.randn(16, 8, size, size).contiguous(memory_format=layout)

    def convolve(x: Tensor, weight: Tensor) -> Tensor:
        return conv2d(x, weight, padding=size // 2)

    exact = derivatives(convolve, [x.double(), weight.double()])
    for value, plain in zip(derivatives(bilinear(convolve), [x, weight]), exact, strict=True):
        assert (value - plain).abs().max() < 1e-5 * plain.abs().max()
        assert value.dtype == torch.float32


def test_arguments_by_name_and_in_order() -> None:
    x, weight = torch.randn(2, 4, 5, 5), torch.randn(4, 2, 3, 3, requires_grad=True)
    bias = torch.randn(4)
    with BilinearConvolutions():
        by_name = conv2d(weight=weight, input=x, groups=2, bias=bias, padding=1)
        in_order = conv2d(x, weight, bias, 1, 1, 1, 2)
        transposed = conv_transpose2d(x, weight, None, 2, 1, 1, 2, 1)
        named = conv_transpose2d(x, weight=weight, stride=2, padding=1, output_padding=1, groups=2)
    assert torch.equal(by_name, in_order)
    assert torch.equal(transposed, named)
    assert torch.allclose(by_name, conv2d(x, weight, bias, padding=1, groups=2), atol=1e-6)
    assert torch.allclose(transposed, conv_transpose2d(x, weight, None, 2, 1, 1, 2), atol=1e-6)


def test_no_images() -> None:
    x = torch.randn(0, 4, 5, 5, requires_grad=True)
    weight = torch.randn(6, 4, 3, 3, requires_grad=True)
    with BilinearConvolutions():
        out = conv2d(x, weight, padding=1)
    by_x, by_weight = torch.autograd.grad(out.sum(), (x, weight))
    assert out.shape == (0, 6, 5, 5)
    assert by_x.shape == x.shape
    assert torch.equal(by_weight, torch.zeros_like(weight))


def test_other_functions_are_pytorchs() -> None:
    weight = torch.randn(3, 4, 3, 3, requires_grad=True)
    with BilinearConvolutions():
        named = conv2d(torch.randn(2, 4, 6, 6), weight, padding="same")
        single = conv2d(torch.randn(4, 6, 6), weight, padding=1)
        line = conv1d(torch.randn(2, 4, 6), weight[:, :, 0])
        with torch.no_grad():
            plain = conv2d(torch.randn(2, 4, 6, 6), weight)
    assert named.shape == (2, 3, 6, 6)
    assert single.shape == (3, 6, 6)
    for out in (named, single, line):
        assert "ConvolutionBackward0" in nodes(out)
    assert plain.grad_fn is None


def test_after_the_context_convolutions_are_pytorchs() -> None:
    x, weight = torch.randn(2, 4, 6, 6), torch.randn(3, 4, 3, 3, requires_grad=True)
    with twice_differentiable(CPU):
        assert "ConvolutionBackward0" not in nodes(conv2d(x, weight))
    assert "ConvolutionBackward0" in nodes(conv2d(x, weight))


@pytest.mark.parametrize("bias", [False, True])
def test_activations_can_be_computed_anew(bias: bool) -> None:
    found = []
    for recompute in (False, True):
        torch.manual_seed(0)
        blocks = [
            nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1, groups=g, bias=bias), nn.Softplus(), last)
            for g, last in ((1, nn.Conv2d(4, 4, 1)), (2, nn.ConvTranspose2d(4, 4, 2, 2)))
        ]
        network = nn.Sequential(*blocks).double()
        if recompute:
            recompute_activations(network)
        x = torch.randn(2, 4, 6, 6, dtype=torch.float64, requires_grad=True)
        with twice_differentiable(CPU):
            logits = network(x).square().mean((1, 2, 3))
        (logits.sum() + squared_gradient_norm(logits, x).sum()).backward()
        found.append([p.grad for p in network.parameters()])
    for plain, anew in zip(*found, strict=True):
        assert plain is not None
        assert anew is not None
        assert torch.allclose(plain, anew, rtol=1e-12)


def test_a_number_in_a_list_counts_for_both_directions() -> None:
    x, weight = torch.randn(2, 4, 5, 5), torch.randn(4, 4, 3, 3, requires_grad=True)
    for form in (conv2d, conv_transpose2d):
        with BilinearConvolutions():
            out = form(x, weight, stride=(2,), padding=[1])
        plain = form(x, weight, stride=2, padding=1)
        assert torch.allclose(out, plain, atol=1e-5)
        (found,) = torch.autograd.grad(out.sum(), weight)
        assert torch.allclose(found, torch.autograd.grad(plain.sum(), weight)[0], atol=1e-4)


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 3, 3, 1, 1), nn.ConvTranspose2d(3, 3, 3, 1, 1)])
def test_transforms_of_functions_take_pytorchs_convolutions(layer: nn.Module) -> None:
    x = torch.randn(4, 3, 5, 5)
    with BilinearConvolutions():
        each = torch.func.vmap(lambda image: layer(image[None])[0])(x)
        slope = torch.func.jvp(layer, (x,), (torch.ones_like(x),))[1]
    assert torch.allclose(each, layer(x), atol=1e-5)
    assert torch.allclose(slope, layer(x + 1) - layer(x), atol=1e-4)


def test_complex_maps_take_pytorchs_convolutions() -> None:
    x = torch.randn(2, 3, 5, 5, dtype=torch.complex64)
    weight = torch.randn(4, 3, 3, 3, dtype=torch.complex64, requires_grad=True)
    with BilinearConvolutions():
        out = conv2d(x, weight)
    assert torch.equal(out, conv2d(x, weight))


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(3, 4, 3)])
def test_a_critics_own_checkpoints(layer: nn.Module) -> None:
    x = torch.randn(2, 3, 6, 6, requires_grad=True)
    with twice_differentiable(CPU):
        plain = layer(x).square().sum()
        anew = checkpoint(layer, x, use_reentrant=False).square().sum()
    expected, found = (torch.autograd.grad(out, x)[0] for out in (plain, anew))
    assert torch.allclose(found, expected, atol=1e-4)


def test_another_thread_has_convolutions_of_its_own() -> None:
    found = list[object]()
    with twice_differentiable(CPU):
        assert isinstance(same_convolutions(), BilinearConvolutions)
        thread = Thread(target=lambda: found.append(same_convolutions()))
        thread.start()
        thread.join()
    assert not isinstance(found[0], BilinearConvolutions)
    assert not isinstance(same_convolutions(), BilinearConvolutions)
