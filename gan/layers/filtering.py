"""Resampling with low-pass filters, so that nothing aliases (Zhang, 2019; Karras et al., 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from gan.layers.equalised import EqualisedConv2d

BINOMIAL = (1.0, 3.0, 3.0, 1.0)


def _upfirdn_matrix(
    size: int, kernel: Tensor, up: int, down: int, padding: tuple[int, int]
) -> Tensor:
    """Return the matrix (after, size) that :func:`upfirdn` is in one direction."""
    before, after = padding
    taps, padded_size = len(kernel), size * up + before + after
    n = torch.arange((padded_size - taps) // down + 1, device=kernel.device)[:, None]
    pixel = torch.arange(size, device=kernel.device)[None, :]
    m = down * n + taps - 1 - (up * pixel + before)
    return torch.where((m >= 0) & (m < taps), kernel[m.clamp(0, taps - 1)], 0.0)


def upfirdn(
    x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, padding: tuple[int, int] = (0, 0)
) -> Tensor:
    """Return maps with zeros put between their pixels, padded, convolved, and thinned out.

    In each direction y[n] = sum over m of kernel[m] u[down n - m + taps - 1], u being the padded
    maps: a true convolution. Each direction is one matrix product: with its derivatives two to nine
    times as fast on a CPU as convolutions of single channels.

    Args:
        x: (B, C, H, W).
        kernel: (taps,) of a separable filter.
        up: every pixel becomes ``up`` squared, the first its value and the others 0.
        down: every ``down``-th pixel is kept.
        padding: zeros before and after, in each direction; negative numbers crop.
    """
    kernel = kernel.to(x.dtype)
    rows, columns = (_upfirdn_matrix(side, kernel, up, down, padding) for side in x.shape[2:])
    return rows @ (x @ columns.T)


class Filter(nn.Module):
    """A low-pass filter of unit sum.

    Args:
        taps: of the filter; the binomial 1 3 3 1 by default.
    """

    kernel: Tensor

    def __init__(self, taps: Sequence[float] = BINOMIAL) -> None:
        super().__init__()
        kernel = torch.tensor(taps)
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same size (B, C, H, W), blurred."""
        spare = len(self.kernel) - 1
        return upfirdn(x, self.kernel, padding=((spare + 1) // 2, spare // 2))


class Upsample(Filter):
    """Twice the resolution, of the same mean."""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, C, 2H, 2W) from (B, C, H, W)."""
        spare = len(self.kernel) - 2
        before, after = (spare + 1) // 2 + 1, spare // 2
        return upfirdn(x, 2 * self.kernel, up=2, padding=(before, after))

    def upsample_conv2d(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return maps (B, O, 2H, 2W) from (B, I, H, W) and weights (O, I, k, k), k odd.

        A true convolution between the pixels put in and the low-pass filter, at a fourth of the
        cost of one after them (Karras et al., 2020a).
        """
        spare = len(self.kernel) + 1 - weight.shape[2]
        maps = conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        return upfirdn(maps, 2 * self.kernel, padding=((spare + 1) // 2, spare // 2))


class Downsample(Filter):
    """Half the resolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, C, H/2, W/2) from (B, C, H, W)."""
        spare = len(self.kernel) - 2
        return upfirdn(x, self.kernel, down=2, padding=((spare + 1) // 2, spare // 2))

    def conv2d_downsample(self, x: Tensor, convolution: EqualisedConv2d) -> Tensor:
        """Return maps (B, after, H/2, W/2) from (B, before, H, W), convolved at every other pixel.

        Low-pass filter first: a convolution of stride 2 costs a fourth (Karras et al., 2020a).
        """
        reach = convolution.padding
        spare = len(self.kernel) - 2 + 2 * reach
        blurred = upfirdn(x, self.kernel, padding=((spare + 1) // 2, spare // 2))
        return convolution.convolve(blurred, stride=2, padding=0)
