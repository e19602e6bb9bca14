"""Equalised learning rate: weights are initialised from N(0, 1) and scaled at run time.

Adam's steps are then the same relative to every weight (Karras et al., 2018, section 4.1).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from gan.layers.winograd import SameConv2d


def _scaled(x: Tensor, weight: Tensor, gain: float) -> tuple[Tensor, Tensor]:
    """Return inputs and weights with one of them, the smaller one, multiplied by ``gain``.

    In a graph for batches of any size they are the weights.
    """
    if torch.compiler.is_exporting():
        return x, weight * gain
    return (x * gain, weight) if x.numel() < weight.numel() else (x, weight * gain)


class EqualisedLinear(nn.Module):
    """A linear layer with weights N(0, 1), scaled by 1 / sqrt(in_features) at run time.

    Args:
        in_features: size of the input.
        out_features: size of the output.
        bias: initial bias, or ``None`` for no bias.
        lr_multiplier: multiplier of this layer's learning rate (Karras et al., 2019, appendix C).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: float | None = 0.0,
        lr_multiplier: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        start = None if bias is None else torch.full((out_features,), bias / lr_multiplier)
        self.bias = None if start is None else nn.Parameter(start)
        self.gain, self.lr_multiplier = lr_multiplier / math.sqrt(in_features), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., out_features) from (..., in_features)."""
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return linear(*_scaled(x, self.weight, self.gain), bias)


class EqualisedConv2d(SameConv2d):
    """A convolution with weights N(0, 1), scaled by 1 / sqrt(fan_in) at run time.

    Args:
        before: input channels.
        after: output channels.
        kernel_size: an odd number; the maps keep their size.
        bias: add a learned bias that starts at 0.
    """

    def __init__(self, before: int, after: int, kernel_size: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.gain, self.padding = 1 / math.sqrt(before * kernel_size**2), kernel_size // 2

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, after, H, W) from (B, before, H, W)."""
        return self.same_conv2d(*_scaled(x, self.weight, self.gain), self.bias)

    def convolve(self, x: Tensor, stride: int, padding: int) -> Tensor:
        """Return the convolution of x with this stride and zero padding."""
        scaled = _scaled(x, self.weight, self.gain)
        return conv2d(*scaled, self.bias, stride=stride, padding=padding)
