"""Pictures of generated images and points."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d
from torchvision.utils import make_grid

from gan.backbones.pixels import to_uint8

_SMALLEST = 512  # minimum size of a grid in pixels, reached by an integer scale
_SIDE = 512  # height and width of a scatter plot in pixels
_DOT = 3  # height and width of a point in pixels
_INK = (31, 119, 180)
_OPACITY = 0.5  # of one point


def picture(images: Tensor, columns: int) -> Tensor:
    """Return images (B, C, H, W) in [-1, 1] as one picture (3, H', W') of uint8.

    Points (B, 2, 1, 1) become a scatter plot, other images a grid with ``columns`` columns.
    """
    if images.shape[1:] == (2, 1, 1):
        return scatter_plot(images.flatten(1))
    return tile(images, columns)


def tile(images: Tensor, columns: int) -> Tensor:
    """Return a grid (3, H', W') of uint8 from images (B, C, H, W) in [-1, 1]."""
    grid: Tensor = make_grid(to_uint8(images), nrow=columns, padding=2, pad_value=255)
    factor = -(-_SMALLEST // max(grid.shape[1:]))
    return grid.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def alternate_rows(upper: Tensor, lower: Tensor, columns: int) -> Tensor:
    """Return two sets of images (n, C, H, W) ordered for a grid with ``columns`` columns.

    In that grid, rows of ``upper`` and ``lower`` alternate; the last rows are filled with white.
    """
    blank = upper.new_ones(-len(upper) % columns, *upper.shape[1:])
    rows = [torch.split(torch.cat([images, blank]), columns) for images in (upper, lower)]
    return torch.cat([row for pair in zip(*rows, strict=True) for row in pair])


def scatter_plot(points: Tensor) -> Tensor:
    """Return points (B, 2) of [-1, 1]^2 as a scatter plot (3, S, S) of uint8.

    The x axis points right and the y axis up. Points out of range are moved to the border.
    """
    x, y = (points.float() * torch.tensor([1.0, -1.0]) + 1).mul(_SIDE / 2).unbind(1)
    column, row = (a.long().clamp(0, _SIDE - 1) for a in (x, y))
    hits = torch.bincount(row * _SIDE + column, minlength=_SIDE**2).view(1, _SIDE, _SIDE)
    dots = max_pool2d(hits.float(), _DOT, stride=1, padding=_DOT // 2)
    paper = (1 - _OPACITY) ** dots
    ink = torch.tensor(_INK)[:, None, None]
    return (ink + (255 - ink) * paper).round().to(torch.uint8)


def save_grid(grid: Tensor, path: Path) -> None:
    """Write a picture (3, H, W) of uint8 as a PNG file; create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid.permute(1, 2, 0).numpy()).save(path)
