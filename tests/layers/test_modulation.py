"""Modulated convolutions in float16."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from gan.layers.modulation import modulated_conv2d


def convolve_in_32_bits(x: Tensor, weight: Tensor) -> Tensor:
    """Return the convolution of numbers in float16, which CPUs do not all compute."""
    return conv2d(x.float(), weight.float(), padding=weight.shape[2] // 2).to(x.dtype)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_float16_is_close_to_float32(sign: float, scale: float) -> None:
    """Styles of either sign, and those whose products overflow in float16."""
    torch.manual_seed(0)
    x, weight = torch.randn(3, 4, 5, 5), torch.randn(6, 4, 3, 3)
    style = sign * scale * torch.rand(3, 4)
    found = modulated_conv2d(x.half(), scale * weight, style, convolve=convolve_in_32_bits)
    expected = modulated_conv2d(x, scale * weight, style)
    assert found.dtype == torch.float16
    assert (found.float() - expected).norm() < 2e-3 * expected.norm()
