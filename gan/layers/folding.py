"""Convolutions next to a change of resolution by 2, computed as one convolution."""

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate, pad

from gan.layers.bilinear import MinimalFiltering, add_bias
from gan.layers.pooled_products import POOLED_CONVOLUTION, products_pay


def _mean_kernel(weight: Tensor) -> Tensor:
    """Return kernels (O, I, k + 1, k + 1): the mean of those shifted by 0 and 1 each way."""
    return avg_pool2d(pad(weight, (1, 1, 1, 1)), 2, stride=1)


def _halves(x: Tensor) -> bool:
    """Return whether maps (B, C, H, W) have even sides."""
    return x.shape[2] % 2 == x.shape[3] % 2 == 0


def pooled_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, winograd: bool = False
) -> Tensor:
    """Return a convolution of (B, I, H, W), averaged over 2x2 pixels: (B, O, H/2, W/2).

    Args:
        x: feature maps.
        weight: weights (O, I, k, k), k odd; the convolution keeps the size.
        bias: biases (O,).
        winograd: compute it with fewer products where that pays.
    """
    if winograd and _halves(x) and products_pay(x, weight, least_pixels=4):
        return add_bias(POOLED_CONVOLUTION(x, weight), bias)
    return conv2d(x, _mean_kernel(weight), bias, stride=2, padding=weight.shape[2] // 2)


def upsampled_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, winograd: bool = False
) -> Tensor:
    """Return a convolution of (B, I, H, W) with each pixel repeated: (B, O, 2H, 2W).

    Args:
        x: feature maps.
        weight: weights (O, I, k, k), k odd; the convolution keeps the size.
        bias: biases (O,).
        winograd: compute it with fewer products where that pays.
    """
    if winograd and products_pay(x, weight, least_pixels=2):
        flipped = 4 * weight.flip(2, 3).transpose(0, 1)
        return add_bias(POOLED_CONVOLUTION.transposed(x, flipped), bias)
    kernel = 4 * _mean_kernel(weight).flip(2, 3).transpose(0, 1)
    return conv_transpose2d(x, kernel, bias, stride=2, padding=weight.shape[2] // 2)


class FoldedConv2d(nn.Conv2d, MinimalFiltering):
    """A 3x3 convolution with padding 1, and a change of resolution by 2.

    Both are linear, so that they are one convolution of stride 2 with 4x4 kernels. It has 4 / 9 of
    the multiplications and the same result up to rounding. The parameters are those of the 3x3
    convolution.

    Args:
        before: input channels.
        after: output channels.

    Attributes:
        fold: compute one convolution; otherwise the two operations one after the other.
    """

    fold: bool = True

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps at the new resolution."""
        return self.convolve_folded(x) if self.fold else self.convolve_plain(x)

    @abstractmethod
    def convolve_folded(self, x: Tensor) -> Tensor:
        """Return the feature maps by one convolution."""

    @abstractmethod
    def convolve_plain(self, x: Tensor) -> Tensor:
        """Return the feature maps by the convolution and the change of resolution."""


class PooledConv2d(FoldedConv2d):
    """A 3x3 convolution, then average pooling by 2: (B, after, H/2, W/2) of (B, before, H, W)."""

    def convolve_folded(self, x: Tensor) -> Tensor:
        """Return the feature maps by one convolution of stride 2."""
        return pooled_conv2d(x, self.weight, self.bias, self.winograd)

    def convolve_plain(self, x: Tensor) -> Tensor:
        """Return the feature maps by the convolution and the pooling."""
        return avg_pool2d(nn.Conv2d.forward(self, x), 2)


class UpsampledConv2d(FoldedConv2d):
    """Nearest upsampling by 2, then a 3x3 convolution: (B, after, 2H, 2W) of (B, before, H, W)."""

    def convolve_folded(self, x: Tensor) -> Tensor:
        """Return the feature maps by one transposed convolution of stride 2."""
        return upsampled_conv2d(x, self.weight, self.bias, self.winograd)

    def convolve_plain(self, x: Tensor) -> Tensor:
        """Return the feature maps by the upsampling and the convolution."""
        return nn.Conv2d.forward(self, interpolate(x, scale_factor=2))
