"""Styles that scale feature maps: AdaIN and weight (de)modulation."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, instance_norm

from gan.layers.equalised import EqualisedLinear
from gan.layers.filtering import Upsample
from gan.layers.precision import at_least_float32


class AdaIN(nn.Module):
    """Instance normalisation whose scale and bias a style sets (Karras et al., 2019, eq. 1).

    Args:
        channels: of the feature maps.
        style_dim: numbers in w.
    """

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.style = EqualisedLinear(style_dim, 2 * channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return maps of the shape of x (B, C, H, W) under styles w (B, style_dim)."""
        scale, bias = self.style(w)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(bias, instance_norm(at_least_float32(x)), scale + 1).to(x.dtype)


def _conv2d_same(x: Tensor, weight: Tensor) -> Tensor:
    """Return maps of the size of x."""
    return conv2d(x, weight, padding=weight.shape[2] // 2)


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    demodulate: bool = True,
    convolve: Callable[[Tensor, Tensor], Tensor] = _conv2d_same,
) -> Tensor:
    """Return the convolution of each image with weights scaled by its own style.

    w'_ijk = s_i w_ijk, and w''_ijk = w'_ijk / sqrt(sum over i, k of w'_ijk^2) (Karras et al.,
    2020a, eqs. 1 and 3). The style scales the maps that come in and the norm those that go out,
    which is the same and shares one set of weights among all images.

    Args:
        x: (B, I, H, W).
        weight: (O, I, k, k), k odd.
        style: s, (B, I).
        demodulate: divide by the norm.
        convolve: maps and weights to maps; the maps keep their size by default.
    """
    maps = convolve(x * style[:, :, None, None].to(x.dtype), weight.to(x.dtype))
    if not demodulate:
        return maps
    squares = style.square() @ weight.square().sum((2, 3)).T  # (B, O)
    return maps * torch.rsqrt(squares + 1e-8)[:, :, None, None].to(maps.dtype)


class ModulatedConv2d(nn.Module):
    """A convolution under a style, with equalised learning rate.

    Args:
        before: channels that come in.
        after: channels that go out.
        kernel_size: odd.
        style_dim: numbers in w.
        demodulate: divide by the norm of the scaled weights.
        up: twice the resolution, low-pass filtered.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel_size: int,
        style_dim: int,
        demodulate: bool = True,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel_size, kernel_size))
        self.style = EqualisedLinear(style_dim, before, bias=1.0)
        self.gain, self.demodulate = 1 / math.sqrt(before * kernel_size**2), demodulate
        self.upsample = Upsample() if up else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return maps (B, after, H, W) from (B, before, H, W) under styles w (B, style_dim).

        Twice as high and wide where ``up``.
        """
        convolve = _conv2d_same if self.upsample is None else self.upsample.upsample_conv2d
        return modulated_conv2d(
            x, self.weight * self.gain, self.style(w), self.demodulate, convolve
        )
