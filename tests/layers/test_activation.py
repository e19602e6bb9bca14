"""The activation of StyleGAN2 equals its formula, with two derivatives."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from gan.layers.activation import scaled_leaky_relu

LIMITS = [None, 0.7]


def formula(x: Tensor, limit: float | None, *shifts: Tensor) -> Tensor:
    """Return the activation, one operation after the other."""
    for shift in shifts:
        x = x + shift
    scaled = leaky_relu(x, 0.2) * math.sqrt(2)
    return scaled if limit is None else scaled.clamp(-limit, limit)


def inputs(channels_last: bool) -> list[Tensor]:
    """Return maps, biases and noise."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5).double()
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    shifts = torch.randn(3, 1, 1).double(), torch.randn(2, 1, 4, 5).double()
    return [tensor.requires_grad_() for tensor in (x, *shifts)]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_values_and_two_derivatives(limit: float | None, channels_last: bool, count: int) -> None:
    given = inputs(channels_last)[:count]
    kept = given[0].detach().clone()
    found = []
    for form in (scaled_leaky_relu, formula):
        out = form(given[0], limit, *given[1:])
        first = torch.autograd.grad(out.exp().sum(), given, create_graph=True)
        total = sum((gradient.square().sum() for gradient in first), torch.zeros(()))
        found.append([out, *first, *torch.autograd.grad(total, given)])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    assert torch.equal(given[0], kept)  # the input is unchanged


def test_the_limit_is_reached_from_both_sides() -> None:
    x = torch.tensor([-9.0, -1.0, 0.1, 9.0], requires_grad=True)
    out = scaled_leaky_relu(x, 0.5)
    (slope,) = torch.autograd.grad(out.sum(), x)
    root = math.sqrt(2)
    assert torch.allclose(out, torch.tensor([-0.5, -0.2 * root, 0.1 * root, 0.5]))
    assert torch.allclose(slope, torch.tensor([0.0, 0.2 * root, root, 0.0]))


def test_one_map_is_kept_for_the_gradient() -> None:
    kept: list[Tensor] = []
    x = torch.randn(2, 3, 4, 4, requires_grad=True)

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = scaled_leaky_relu(x, 0.5, torch.zeros(3, 1, 1))
    assert [tensor.data_ptr() for tensor in kept] == [out.data_ptr()]
