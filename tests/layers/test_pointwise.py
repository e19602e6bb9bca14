"""1x1 convolutions as matrix products equal PyTorch's own."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from gan.layers.bilinear import BilinearMap
from gan.layers.pointwise import LINEAR, MOST_IMAGES, Conv1x1, pointwise_conv2d
from tests.layers.test_convolution import LAYOUTS, derivatives


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_values_and_two_derivatives(
    kind: torch.dtype, images: int, layout: torch.memory_format
) -> None:
    x = torch.randn(images, 5, 4, 6).contiguous(memory_format=layout)
    weight = torch.randn(7, 5, 1, 1)
    exact = derivatives(conv2d, [x.double(), weight.double()])
    tolerance = 1e-5 if kind == torch.float32 else 1e-13
    found = derivatives(pointwise_conv2d, [x.to(kind), weight.to(kind)])
    for value, plain in zip(found, exact, strict=True):
        assert (value - plain).abs().max() < tolerance * plain.abs().max()
        assert value.dtype == kind
    assert found[0].is_contiguous(memory_format=torch.channels_last)


def test_few_images_in_32_bits_are_products(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, calls = Conv1x1(3, 4), list[int]()
    monkeypatch.setattr(
        *(type(LINEAR), "__call__"),
        lambda form, x, w: calls.append(1) or BilinearMap.__call__(form, x, w),  # type: ignore[func-returns-value]
    )

    def count(x: Tensor) -> int:
        calls.clear()
        assert layer(x).shape == (len(x), 4, *x.shape[2:])
        return len(calls)

    assert count(torch.randn(MOST_IMAGES, 3, 2, 2)) == 1
    assert count(torch.randn(MOST_IMAGES + 1, 3, 2, 2)) == 0
    assert count(torch.randn(0, 3, 2, 2)) == 0
    with torch.autocast("cpu", torch.bfloat16):
        assert count(torch.randn(2, 3, 2, 2)) == 0
    layer.double()
    assert count(torch.randn(2, 3, 2, 2).double()) == 0


def test_it_has_no_bias() -> None:
    assert [name for name, _ in Conv1x1(3, 4).named_parameters()] == ["weight"]


@pytest.mark.parametrize("images", [2, MOST_IMAGES + 1])
def test_maps_can_be_changed_in_place(images: int) -> None:
    layer, x = Conv1x1(3, 4), torch.randn(images, 3, 2, 2)
    (found,) = torch.autograd.grad(torch.relu_(layer(x)).sum(), layer.weight)
    (plain,) = torch.autograd.grad(conv2d(x, layer.weight).relu().sum(), layer.weight)
    assert torch.allclose(found, plain, atol=1e-5)


def test_one_image_without_a_batch() -> None:
    layer, x = Conv1x1(3, 4), torch.randn(3, 2, 2)
    assert torch.allclose(layer(x), layer(x[None])[0], atol=1e-6)
