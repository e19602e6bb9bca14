"""Style modulation: AdaIN and modulated convolution."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, instance_norm

from gan.layers.equalised import EqualisedLinear
from gan.layers.filtering import Upsample
from gan.layers.precision import at_least_float32, full_precision
from gan.layers.winograd import SameConv2d


class AdaIN(nn.Module):
    """Instance normalisation with scale and bias from a style (Karras et al., 2019, eq. 1).

    Args:
        channels: channels of the feature maps.
        style_dim: dimension of w.
        epsilon: added to the variance of a feature map.
    """

    def __init__(self, channels: int, style_dim: int, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.style = EqualisedLinear(style_dim, 2 * channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return x, (B, C, H, W), normalised and modulated by styles w, (B, style_dim)."""
        scale, bias = self.style(w)[:, :, None, None].chunk(2, dim=1)
        normalised = instance_norm(at_least_float32(x), eps=self.epsilon)
        return torch.addcmul(bias, normalised, scale + 1).to(x.dtype)


def _conv2d_same(x: Tensor, weight: Tensor) -> Tensor:
    """Return the convolution of x with zero padding that keeps the size."""
    return conv2d(x, weight, padding=weight.shape[2] // 2)


def _scaled_for_float16(weight: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights and style scaled such that no product overflows; demodulation cancels it."""
    largest = weight.abs().amax((1, 2, 3), keepdim=True) * weight[0].numel() ** 0.5
    return weight / largest, style / style.abs().amax(1, keepdim=True)


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    demodulate: bool = True,
    convolve: Callable[[Tensor, Tensor], Tensor] = _conv2d_same,
) -> Tensor:
    """Return the convolution of each image with weights modulated by its own style.

    w'_ijk = s_i w_ijk, and w''_ijk = w'_ijk / sqrt(sum over i, k of w'_ijk^2) (Karras et al.,
    2020a, eqs. 1 and 3). The code scales the input maps by s and the output maps by the norm. This
    is equivalent, and all images share one set of weights. The norm is computed in float32.

    Args:
        x: input maps (B, I, H, W).
        weight: weights (O, I, k, k), k odd.
        style: s, (B, I), at least float32.
        demodulate: divide by the norm of the modulated weights.
        convolve: function of maps and weights that returns the convolution; by default, the size
            of the maps is kept.
    """
    if demodulate and x.dtype == torch.float16:
        weight, style = _scaled_for_float16(weight, style)
    maps = convolve(x * style[:, :, None, None].to(x.dtype), weight.to(x.dtype))
    if not demodulate:
        return maps
    with full_precision(x.device):
        squares = style.square() @ weight.square().sum((2, 3)).T  # (B, O)
    return maps * torch.rsqrt(squares + 1e-8)[:, :, None, None].to(maps.dtype)


class ModulatedConv2d(SameConv2d):
    """A modulated convolution with equalised learning rate.

    Args:
        before: input channels.
        after: output channels.
        kernel_size: an odd number.
        style_dim: dimension of w.
        demodulate: divide by the norm of the modulated weights.
        up: upsample by 2 with a low-pass filter.
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
        """Return feature maps (B, after, H, W) from (B, before, H, W) and styles w, (B, style_dim).

        With ``up``, the output has twice the height and width. The affine map from w to s is
        computed in float32, as in the authors' code.
        """
        with full_precision(x.device):
            style = self.style(at_least_float32(w)) * self.gain
        convolve = self.same_conv2d if self.upsample is None else self.upsample.upsample_conv2d
        return modulated_conv2d(x, self.weight, style, self.demodulate, convolve)
