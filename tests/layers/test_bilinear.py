"""Bilinear maps: products, and the derivatives that a pass asks for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan.layers import bilinear
from gan.layers.bilinear import BilinearMap, product


class Scaled(BilinearMap):
    """y = w x, which records what is computed."""

    def __init__(self) -> None:
        self.computed: list[str] = []

    def compute(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return w x."""
        self.computed.append("compute")
        return x * weight

    def transpose(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return w y."""
        self.computed.append("transpose")
        return y * weight

    def correlate(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x y."""
        self.computed.append("correlate")
        return x * y


def leaf() -> Tensor:
    """Return three numbers with a gradient."""
    return torch.randn(3, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("name", ["__call__", "transposed"])
def test_derivatives_up_to_the_third(name: str) -> None:
    torch.manual_seed(0)
    form: Callable[..., Tensor] = getattr(Scaled(), name)

    def squared(x: Tensor, w: Tensor) -> Tensor:
        first = torch.autograd.grad(form(x, w).pow(3).sum(), (x, w), create_graph=True)
        return torch.cat(first)

    assert torch.autograd.gradcheck(form, (leaf(), leaf()))
    assert torch.autograd.gradgradcheck(form, (leaf(), leaf()))
    assert torch.autograd.gradgradcheck(squared, (leaf(), leaf()))


def test_a_gradient_of_images_does_not_compute_that_of_weights() -> None:
    """The first pass of R1: images alone, while the normalised weights have a graph, too."""
    form, x, weight = Scaled(), leaf(), leaf()
    torch.autograd.grad(form(x * 1, weight * 1).sum(), x)
    assert form.computed == ["compute", "transpose"]
    form.computed.clear()
    torch.autograd.grad(form(x * 1, weight * 1).sum(), weight)
    assert form.computed == ["compute", "correlate"]
    form.computed.clear()
    torch.autograd.grad(form(x.detach(), weight * 1).sum(), weight)
    assert form.computed == ["compute", "correlate"]


def test_products_by_either_library(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    a, b = torch.randn(5, 7), torch.randn(7, 3)
    exact = a.double() @ b.double()
    for onednn in (bilinear._ONEDNN, False):
        monkeypatch.setattr(bilinear, "_ONEDNN", onednn)
        for left in (a, a.T.contiguous().T):
            for right in (b, b.T.contiguous().T):
                assert torch.allclose(product(left, right), exact.float(), atol=1e-5)
        assert torch.equal(product(a.double(), b.double()), exact)
