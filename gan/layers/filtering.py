"""Resampling with low-pass filters against aliasing (Zhang, 2019; Karras et al., 2019)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import conv2d, conv_transpose2d

from gan.layers.bilinear import MinimalFiltering, is_channels_last, is_traced
from gan.layers.equalised import EqualisedConv2d
from gan.layers.folding import pooled_conv2d, upsampled_conv2d
from gan.layers.precision import full_precision

BINOMIAL = (1.0, 3.0, 3.0, 1.0)


def _upfirdn_matrix(
    size: int, kernel: Tensor, up: int, down: int, padding: tuple[int, int]
) -> Tensor:
    """Return the matrix (after, size) that applies :func:`upfirdn` along one direction."""
    before, after = padding
    taps, padded_size = len(kernel), size * up + before + after
    n = torch.arange((padded_size - taps) // down + 1, device=kernel.device)[:, None]
    pixel = torch.arange(size, device=kernel.device)[None, :]
    m = down * n + taps - 1 - (up * pixel + before)
    return torch.where((m >= 0) & (m < taps), kernel[m.clamp(0, taps - 1)], 0.0)


class _Depthwise(Function):
    """A convolution of each channel with a kernel that is not trained, linear in the maps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
        """Return the maps (B, C, H', W') of maps (B, C, H, W) and kernels (C, 1, k, k)."""
        ctx.save_for_backward(kernels)
        ctx.sides, ctx.settings = x.shape[2:], (stride, padding)
        x = x.contiguous(memory_format=torch.channels_last)
        with full_precision(x.device):
            return conv2d(x, kernels, stride=stride, padding=padding, groups=len(kernels))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of the maps."""
        product = _DepthwiseTransposed.apply(gradient, *ctx.saved_tensors, ctx.sides, *ctx.settings)
        return product, None, None, None


class _DepthwiseTransposed(Function):
    """The transpose of :class:`_Depthwise`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernels: Tensor, sides: Sequence[int], stride: int, padding: int
    ) -> Tensor:
        """Return maps (B, C, H, W) of maps (B, C, H', W'), where ``sides`` is (H, W)."""
        ctx.save_for_backward(kernels)
        ctx.settings = stride, padding
        least = kernels.shape[2] - 2 * padding
        rest = [side - stride * (n - 1) - least for side, n in zip(sides, x.shape[2:], strict=True)]
        x = x.contiguous(memory_format=torch.channels_last)
        with full_precision(x.device):
            return conv_transpose2d(x, kernels, None, stride, padding, rest, groups=len(kernels))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of the maps."""
        product = _Depthwise.apply(gradient, *ctx.saved_tensors, *ctx.settings)
        return product, None, None, None, None


def _depthwise(
    x: Tensor, kernel: Tensor, up: int, down: int, padding: tuple[int, int]
) -> Tensor | None:
    """Return what :func:`upfirdn` returns, by convolutions without copies, or ``None``."""
    before, after = padding
    if up == 1 and before == after >= 0:
        kernels = torch.outer(kernel, kernel).flip(0, 1).expand(x.shape[1], 1, -1, -1)
        maps: Tensor = _Depthwise.apply(x, kernels, down, before)
        return maps
    cropped = len(kernel) - 1 - before
    if down == 1 and cropped >= 0 and before - after == up - 1:
        kernels = torch.outer(kernel, kernel).expand(x.shape[1], 1, -1, -1)
        sides = [up * side + before + after + 1 - len(kernel) for side in x.shape[2:]]
        upsampled: Tensor = _DepthwiseTransposed.apply(x, kernels, sides, up, cropped)
        return upsampled
    return None


def _is_fixed(x: Tensor, kernel: Tensor) -> bool:
    """Return whether maps are on a CPU and not traced, and the kernel is not trained."""
    return x.is_cpu and not is_traced() and not kernel.requires_grad


def upfirdn(
    x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, padding: tuple[int, int] = (0, 0)
) -> Tensor:
    """Return feature maps after zero insertion, padding, a FIR filter and subsampling.

    In each direction, y[n] = sum over m of kernel[m] u[down n - m + taps - 1], where u is the
    padded input. This is a true convolution, not a correlation. On a CPU, maps in channels_last are
    convolved channel by channel, without copies: with the gradient, 4 to 8 times as fast as in the
    other form. In that one, each direction is one matrix product; with its derivatives it is 2 to 9
    times as fast on a CPU as depthwise convolutions of contiguous maps.

    Args:
        x: feature maps (B, C, H, W).
        kernel: taps of a separable filter, (taps,).
        up: upsampling factor; ``up - 1`` zeros follow each pixel.
        down: subsampling factor; every ``down``-th pixel is kept.
        padding: zeros before and after, in each direction; a negative number crops.
    """
    kernel = kernel.to(x.dtype)
    if is_channels_last(x) and _is_fixed(x, kernel):
        filtered = _depthwise(x, kernel, up, down, padding)
        if filtered is not None:
            return filtered
    rows, columns = (_upfirdn_matrix(side, kernel, up, down, padding) for side in x.shape[2:])
    return rows @ (x @ columns.T)


class Filter(nn.Module):
    """A low-pass filter with unit sum.

    Args:
        taps: taps of the filter; the binomial filter 1 3 3 1 by default.
    """

    kernel: Tensor

    def __init__(self, taps: Sequence[float] = BINOMIAL) -> None:
        super().__init__()
        kernel = torch.tensor(taps)
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return blurred feature maps of the same size, (B, C, H, W)."""
        spare = len(self.kernel) - 1
        return upfirdn(x, self.kernel, padding=((spare + 1) // 2, spare // 2))


class Upsample(Filter):
    """Upsampling by 2 that keeps the mean."""

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, C, 2H, 2W) from (B, C, H, W)."""
        spare = len(self.kernel) - 2
        before, after = (spare + 1) // 2 + 1, spare // 2
        return upfirdn(x, 2 * self.kernel, up=2, padding=(before, after))

    def upsample_conv2d(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return feature maps (B, O, 2H, 2W) from (B, I, H, W) and weights (O, I, k, k), k odd.

        A transposed convolution of stride 2, then the low-pass filter. It costs a fourth of
        upsampling followed by a convolution (Karras et al., 2020a).
        """
        spare = len(self.kernel) + 1 - weight.shape[2]
        maps = conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        return upfirdn(maps, 2 * self.kernel, padding=((spare + 1) // 2, spare // 2))


class Downsample(Filter):
    """Downsampling by 2."""

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, C, H/2, W/2) from (B, C, H, W)."""
        spare = len(self.kernel) - 2
        return upfirdn(x, self.kernel, down=2, padding=((spare + 1) // 2, spare // 2))

    def conv2d_downsample(self, x: Tensor, convolution: EqualisedConv2d) -> Tensor:
        """Return feature maps (B, after, H/2, W/2) from (B, before, H, W).

        The low-pass filter, then the convolution with stride 2. It costs a fourth of a convolution
        followed by downsampling (Karras et al., 2020a).
        """
        reach = convolution.padding
        spare = len(self.kernel) - 2 + 2 * reach
        blurred = upfirdn(x, self.kernel, padding=((spare + 1) // 2, spare // 2))
        return convolution.convolve(blurred, stride=2, padding=0)


class BoxUpsample(Filter, MinimalFiltering):
    """Upsampling by 2 that repeats pixels, convolves, then blurs (Karras et al., 2019)."""

    def upsample_conv2d(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return feature maps (B, O, 2H, 2W) from (B, I, H, W) and weights (O, I, k, k), k odd.

        The first two operations are one transposed convolution of stride 2.
        """
        return self.forward(upsampled_conv2d(x, weight, winograd=self.winograd))


class BoxDownsample(Filter, MinimalFiltering):
    """Downsampling by 2 that blurs, convolves, then averages pixels (Karras et al., 2019)."""

    def conv2d_downsample(self, x: Tensor, convolution: EqualisedConv2d) -> Tensor:
        """Return feature maps (B, after, H/2, W/2) from (B, before, H, W).

        The last two operations are one convolution of stride 2.
        """
        weight = convolution.weight * convolution.gain
        return pooled_conv2d(self.forward(x), weight, convolution.bias, self.winograd)
