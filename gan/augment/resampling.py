"""Images seen through an affine map: by copying pixels, or without aliasing."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

# Daubechies' least asymmetric wavelet of 6 vanishing moments; its low-pass filter.
SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
_BILINEAR, _BORDER = 0, 1  # of torch.ops.aten.grid_sampler_2d


class _GridSample(Function):
    """Bilinear interpolation of maps (B, C, H, W) at a grid (B, h, w, 2) of x, y in [-1, 1].

    Its gradient is :class:`_Spreading`, its adjoint, and the other way round, so that the maps have
    derivatives of any order; not every torch differentiates its own ``grid_sample`` twice.
    """

    @staticmethod
    def forward(context: Any, maps: Tensor, grid: Tensor) -> Tensor:
        context.save_for_backward(grid)
        context.size = maps.shape
        sampled: Tensor = torch.ops.aten.grid_sampler_2d(maps, grid, _BILINEAR, _BORDER, True)
        return sampled

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = context.saved_tensors
        return _GridSampleTranspose.apply(gradient, grid, context.size), None


class _GridSampleTranspose(Function):
    """The transpose of :class:`_Sampling`, from values (B, C, h, w) to maps of a size."""

    @staticmethod
    def forward(context: Any, values: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        context.save_for_backward(grid)
        maps = values.new_zeros(())  # its size alone is read
        spread: tuple[Tensor, Tensor] = torch.ops.aten.grid_sampler_2d_backward(
            values, maps.expand(size), grid, _BILINEAR, _BORDER, True, (True, False)
        )
        return spread[0]

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = context.saved_tensors
        return _GridSample.apply(gradient, grid), None, None


def reflection_period(side: int) -> int:
    """Return after how many pixels a row and its endless reflection begin anew."""
    return max(2 * side - 2, 1)


def reflect_indices(places: Tensor, side: int) -> Tensor:
    """Return the pixels from 0 to ``side`` - 1 that whole-numbered places show.

    Beyond its border pixels a row goes on as its own reflection, endlessly.
    """
    return side - 1 - (places % reflection_period(side) - (side - 1)).abs()


def _pixel_coordinates(side: int, like: Tensor) -> Tensor:
    """Return the places of a row's pixels (side,), counted from its middle."""
    return torch.arange(side, device=like.device, dtype=like.dtype) - (side - 1) / 2


def _transform_points(inverse: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y, (B, h, w) each, of where matrices (B, 3, 3) send points (w,) by (h,)."""
    (a, b, c), (d, e, f), _ = inverse.to(x.dtype).permute(1, 2, 0)[..., None, None]
    return a * x + b * y[:, None] + c, d * x + e * y[:, None] + f


def sample_nearest(images: Tensor, inverse: Tensor) -> Tensor:
    """Return images whose every pixel is a pixel of the old, the nearest to where it comes from.

    Args:
        images: (B, C, H, W); beyond the border they are reflected.
        inverse: (B, 3, 3), from places in the result to places in ``images``, in pixels to the
            right of their middle and below it.
    """
    height, width = images.shape[2:]
    across, down = _pixel_coordinates(width, images), _pixel_coordinates(height, images)
    x, y = _transform_points(inverse, across, down)
    column = reflect_indices((x - across[0]).round().long(), width)
    row = reflect_indices((y - down[0]).round().long(), height)
    places = (row * width + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, places).view_as(images)


def upsampling_matrix(taps: Tensor, side: int) -> Tensor:
    """Return the matrix that doubles the resolution of a row, (2 period + 1, side).

    It goes once through the row and its reflection and ends where it began.

    Args:
        taps: of an orthogonal low-pass filter, an even number.
        side: pixels of the row.
    """
    rows = torch.arange(2 * reflection_period(side) + 1, device=taps.device)[:, None]
    places = rows + len(taps) // 2 - 1 - torch.arange(len(taps), device=taps.device)
    weights = torch.where(places % 2 == 0, taps, 0.0)  # zeros between the pixels
    matrix = taps.new_zeros(len(rows), side)
    return matrix.scatter_add(1, reflect_indices(places // 2, side), weights)


def downsampling_matrix(taps: Tensor, side: int) -> Tensor:
    """Return the matrix that halves the resolution of a row, (side, 2 side + taps - 2).

    It takes back what :func:`synthesis` does, its input beginning ``taps`` / 2 - 1 places before.
    """
    places = 2 * torch.arange(side, device=taps.device)[:, None]
    places = places + torch.arange(len(taps), device=taps.device)
    matrix = taps.new_zeros(side, 2 * side + len(taps) - 2)
    return matrix.scatter(1, places, taps.expand(side, -1))


def _apply_separable(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Return maps (B, C, H, W) whose columns and rows matrices have multiplied."""
    return down @ (x @ across.T)


class Resampling(nn.Module):
    """An affine map at twice the resolution, between an orthogonal low-pass filter and itself.

    The pixels are doubled, interpolated bilinearly where the map sends them, and halved (Karras et
    al., 2020b, appendix B). A filter that is not quite symmetric moves what it doubles by a part
    of a pixel, which the places here make up for, unlike those of the authors' code; and the
    reflection beyond the border never ends, where theirs turns grey after one image.

    Args:
        taps: of the filter, an even number.
    """

    taps: Tensor

    def __init__(self, taps: Sequence[float] = SYM6) -> None:
        super().__init__()
        self.register_buffer("taps", torch.tensor(taps), persistent=False)
        self.reach = len(taps) // 2 - 1
        mass = sum(taps)
        self.middle = sum(i * tap for i, tap in enumerate(taps)) / mass - self.reach

    def _sample_positions(self, side: int, like: Tensor) -> Tensor:
        """Return, in pixels from the middle of a row, the places that :func:`analysis` reads."""
        count = 2 * side + len(self.taps) - 2
        doubled = torch.arange(count, device=like.device, dtype=like.dtype) - self.reach
        return (doubled - self.middle) / 2 - (side - 1) / 2

    def _grid_coordinates(self, places: Tensor, side: int) -> Tensor:
        """Return places in pixels from the middle as places in [-1, 1] of a doubled row."""
        rounds = (places + (self.middle + side - 1) / 2) / reflection_period(side)
        return 2 * (rounds - rounds.floor()) - 1

    def forward(self, images: Tensor, inverse: Tensor) -> Tensor:
        """Return resampled images, (B, C, H, W); the arguments are those of :func:`copy`."""
        height, width = images.shape[2:]
        x, y = _transform_points(
            inverse, self._sample_positions(width, images), self._sample_positions(height, images)
        )
        grid = torch.stack(
            [self._grid_coordinates(x, width), self._grid_coordinates(y, height)], -1
        )
        taps = self.taps.to(images.dtype)
        doubled = _apply_separable(
            images, upsampling_matrix(taps, height), upsampling_matrix(taps, width)
        )
        moved = _GridSample.apply(doubled, grid)
        return _apply_separable(
            moved, downsampling_matrix(taps, height), downsampling_matrix(taps, width)
        )
