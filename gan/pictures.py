"""Grids of images as pictures."""

from pathlib import Path

from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan.metrics.pixels import to_uint8

_SMALLEST = 512  # pixels a side below which a grid is enlarged by a whole factor


def tile(images: Tensor, columns: int) -> Tensor:
    """Return images (B, C, H, W) in [-1, 1] as one picture (3, H', W') of uint8."""
    grid: Tensor = make_grid(to_uint8(images), nrow=columns, padding=2, pad_value=255)
    factor = -(-_SMALLEST // max(grid.shape[1:]))
    return grid.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def save_grid(grid: Tensor, path: Path) -> None:
    """Write a picture (3, H, W) of uint8 as PNG, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid.permute(1, 2, 0).numpy()).save(path)
