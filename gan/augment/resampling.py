"""Affine maps of images, by nearest neighbour or with antialiasing."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

# Low-pass filter of Daubechies' least asymmetric wavelet with 6 vanishing moments.
SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
_BILINEAR, _BORDER = 0, 1  # of torch.ops.aten.grid_sampler_2d


class _GridSample(Function):
    """Bilinear interpolation of maps (B, C, H, W) at a grid (B, h, w, 2) of x, y in [-1, 1].

    Its derivative is :class:`_GridSampleTranspose`, and vice versa, so that derivatives of any
    order with respect to the maps exist. Some versions of torch cannot differentiate
    ``grid_sample`` twice.
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
    """The transpose of :class:`_GridSample`, from values (B, C, h, w) to maps of size ``size``."""

    @staticmethod
    def forward(context: Any, values: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        context.save_for_backward(grid)
        maps = values.new_zeros(())  # only the size is used
        spread: tuple[Tensor, Tensor] = torch.ops.aten.grid_sampler_2d_backward(
            values, maps.expand(size), grid, _BILINEAR, _BORDER, True, (True, False)
        )
        return spread[0]

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = context.saved_tensors
        return _GridSample.apply(gradient, grid), None, None


def reflection_period(side: int) -> int:
    """Return the period, in pixels, of a row extended by reflection."""
    return max(2 * side - 2, 1)


def reflect_indices(positions: Tensor, side: int) -> Tensor:
    """Return the pixel indices, in [0, side), of positions in a row extended by reflection.

    The border pixels are not repeated.
    """
    return side - 1 - (positions % reflection_period(side) - (side - 1)).abs()


def _pixel_coordinates(side: int, like: Tensor) -> Tensor:
    """Return the coordinates of a row's pixels, (side,), relative to its centre."""
    return torch.arange(side, device=like.device, dtype=like.dtype) - (side - 1) / 2


def _transform_points(inverse: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y, (B, h, w) each, of points (w,) by (h,) transformed by matrices (B, 3, 3)."""
    (a, b, c), (d, e, f), _ = inverse.to(x.dtype).permute(1, 2, 0)[..., None, None]
    return a * x + b * y[:, None] + c, d * x + e * y[:, None] + f


def sample_nearest(images: Tensor, inverse: Tensor) -> Tensor:
    """Return transformed images by nearest-neighbour sampling.

    Args:
        images: (B, C, H, W), extended by reflection.
        inverse: matrices (B, 3, 3) from output to input coordinates, in pixels to the right of the
            centre and below it.
    """
    height, width = images.shape[2:]
    across, down = _pixel_coordinates(width, images), _pixel_coordinates(height, images)
    x, y = _transform_points(inverse, across, down)
    column = reflect_indices((x - across[0]).round().long(), width)
    row = reflect_indices((y - down[0]).round().long(), height)
    positions = (row * width + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, positions).view_as(images)


def upsampling_matrix(taps: Tensor, side: int) -> Tensor:
    """Return the matrix that upsamples a row by 2, (2 period + 1, side).

    Its output covers one period of the row extended by reflection; the last value equals the first.

    Args:
        taps: taps of an orthogonal low-pass filter, an even number.
        side: pixels of the row.
    """
    rows = torch.arange(2 * reflection_period(side) + 1, device=taps.device)[:, None]
    positions = rows + len(taps) // 2 - 1 - torch.arange(len(taps), device=taps.device)
    weights = torch.where(positions % 2 == 0, taps, 0.0)  # zero insertion
    matrix = taps.new_zeros(len(rows), side)
    return matrix.scatter_add(1, reflect_indices(positions // 2, side), weights)


def downsampling_matrix(taps: Tensor, side: int) -> Tensor:
    """Return the matrix that downsamples a row by 2, (side, 2 side + taps - 2).

    It inverts :func:`upsampling_matrix`; its input starts ``taps`` / 2 - 1 positions earlier.
    """
    positions = 2 * torch.arange(side, device=taps.device)[:, None]
    positions = positions + torch.arange(len(taps), device=taps.device)
    matrix = taps.new_zeros(side, 2 * side + len(taps) - 2)
    return matrix.scatter(1, positions, taps.expand(side, -1))


def _apply_separable(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Return maps (B, C, H, W) multiplied by a matrix in each direction."""
    return down @ (x @ across.T)


class Resampling(nn.Module):
    """An affine map at twice the resolution, between upsampling and downsampling filters.

    The images are upsampled, interpolated bilinearly and downsampled (Karras et al., 2020b,
    appendix B). Deviations from the authors' code: the offset of an asymmetric filter, a fraction
    of a pixel, is compensated; the reflection at the border is periodic, where theirs ends after
    one image.

    Args:
        taps: taps of the filter, an even number.
    """

    taps: Tensor

    def __init__(self, taps: Sequence[float] = SYM6) -> None:
        super().__init__()
        self.register_buffer("taps", torch.tensor(taps), persistent=False)
        self.offset = len(taps) // 2 - 1
        total = sum(taps)
        self.centre = sum(i * tap for i, tap in enumerate(taps)) / total - self.offset

    def _sample_positions(self, side: int, like: Tensor) -> Tensor:
        """Return the positions read by :func:`downsampling_matrix`, in pixels from the centre."""
        count = 2 * side + len(self.taps) - 2
        upsampled = torch.arange(count, device=like.device, dtype=like.dtype) - self.offset
        return (upsampled - self.centre) / 2 - (side - 1) / 2

    def _grid_coordinates(self, positions: Tensor, side: int) -> Tensor:
        """Return positions in pixels from the centre as coordinates in [-1, 1] after upsampling."""
        periods = (positions + (self.centre + side - 1) / 2) / reflection_period(side)
        return 2 * (periods - periods.floor()) - 1

    def forward(self, images: Tensor, inverse: Tensor) -> Tensor:
        """Return resampled images (B, C, H, W); for the arguments, see :func:`sample_nearest`."""
        height, width = images.shape[2:]
        x, y = _transform_points(
            inverse, self._sample_positions(width, images), self._sample_positions(height, images)
        )
        grid = torch.stack(
            [self._grid_coordinates(x, width), self._grid_coordinates(y, height)], -1
        )
        taps = self.taps.to(images.dtype)
        upsampled = _apply_separable(
            images, upsampling_matrix(taps, height), upsampling_matrix(taps, width)
        )
        sampled = _GridSample.apply(upsampled, grid)
        return _apply_separable(
            sampled, downsampling_matrix(taps, height), downsampling_matrix(taps, width)
        )
