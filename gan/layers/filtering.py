"""Resampling with low-pass filters, so that nothing aliases (Zhang, 2019; Karras et al., 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

BINOMIAL = (1.0, 3.0, 3.0, 1.0)


def upfirdn(
    x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, padding: tuple[int, int] = (0, 0)
) -> Tensor:
    """Return maps with zeros put between their pixels, padded, convolved, and thinned out.

    In each direction y[n] = sum over m of kernel[m] u[down n - m + taps - 1], u being the padded
    maps: a true convolution. Differentiable twice.

    Args:
        x: (B, C, H, W).
        kernel: (taps,) of a separable filter.
        up: every pixel becomes ``up`` squared, the first its value and the others 0.
        down: every ``down``-th pixel is kept.
        padding: zeros before and after, in each direction; negative numbers crop.
    """
    count, channels, height, width = x.shape
    if up > 1:
        x = pad(x.view(count, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(count, channels, height * up, width * up)
    x = pad(x, (*padding, *padding))
    taps = kernel.to(x.dtype).flip(0).expand(channels, 1, -1)
    x = conv2d(x, taps[:, :, :, None], stride=(down, 1), groups=channels)
    return conv2d(x, taps[:, :, None], stride=(1, down), groups=channels)


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


class Downsample(Filter):
    """Half the resolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, C, H/2, W/2) from (B, C, H, W)."""
        spare = len(self.kernel) - 2
        return upfirdn(x, self.kernel, down=2, padding=((spare + 1) // 2, spare // 2))
