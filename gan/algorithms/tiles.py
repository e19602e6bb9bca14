"""Translation of images of any size, in overlapping tiles."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor

from gan.errors import InputError

_PIXELS = 2**19  # of the tiles that are translated at once

Translate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Windows:
    """Windows of equal length that cover an axis, as few as overlap by what is asked for.

    They are spread evenly, so that they may overlap by more.

    Attributes:
        side: length of the axis in pixels, at least ``tile``.
        tile: length of a window.
        overlap: least number of pixels that two neighbours share, from 0 to below ``tile``.
    """

    side: int
    tile: int
    overlap: int

    @property
    def starts(self) -> list[int]:
        """Return the first pixel of each window."""
        free, stride = self.side - self.tile, self.tile - self.overlap
        gaps = -(-free // stride)
        return [k * free // gaps for k in range(gaps + 1)] if gaps else [0]

    def weights(self, scale: int = 1) -> Tensor:
        """Return the weight of each window at each pixel, (windows, scale side), with sum one.

        From one window to the next the weights change linearly over the middle half of what both
        share. Its outer quarters have weight 0, where a network knows least of the surroundings.

        Args:
            scale: pixels of the result for a pixel of the axis.
        """
        starts = self.starts
        shared = [before + self.tile - after for before, after in pairwise(starts)]
        ramp = max(scale * min(shared, default=0) / 2, 1.0)
        centres = torch.tensor([(a + b + self.tile) / 2 for a, b in pairwise(starts)]) * scale
        pixels = torch.arange(scale * self.side) + 0.5
        passed = ((pixels - centres[:, None]) / ramp + 0.5).clamp(0, 1)
        ends = torch.ones(1, len(pixels)), torch.zeros(1, len(pixels))
        return torch.cat([ends[0], passed]) - torch.cat([passed, ends[1]])


class TiledTranslation:
    """Translates images of any size; the tiles are those that a network was trained on.

    Where an image is smaller than a tile it is extended by reflection, and the result cut out.
    Where it is larger it is extended by a quarter of the overlap, so that its border does not lie
    at that of a tile. Memory beyond image and result does not depend on their size.

    Args:
        translate: tiles (n, C, tile, tile) to (n, C', scale tile, scale tile).
        tile: height and width of a tile in pixels.
        overlap: least number of pixels that neighbours share. A network of stride 1 whose outputs
            see r pixels in each direction gives the same as on the whole image if this is 4 r or
            more, except within r pixels of the image's border.
        scale: height of the result over that of the image.

    Raises:
        InputError: if tile or overlap is out of range.
    """

    def __init__(self, translate: Translate, tile: int, overlap: int, scale: int = 1) -> None:
        if tile < 1:
            raise InputError(f"tile={tile}: give a number of pixels from 1")
        if not 0 <= overlap < tile:
            raise InputError(f"overlap={overlap}: give pixels from 0 to below tile={tile}")
        self.translate, self.tile, self.overlap, self.scale = translate, tile, overlap, scale

    def __call__(self, image: Tensor) -> Tensor:
        """Return the translation (C', scale H, scale W), on the CPU, of an image (C, H, W)."""
        (top, rows), (left, columns) = (self._extend(side) for side in image.shape[1:])
        whole = self._blend(image[:, rows][:, :, columns])
        height, width = (self.scale * side for side in image.shape[1:])
        return whole[:, self.scale * top :, self.scale * left :][:, :height, :width]

    def _extend(self, side: int) -> tuple[int, Tensor]:
        """Return where an axis begins within a longer one, and the pixels of that.

        They are the axis, reflected at both ends as often as needed.
        """
        missing = self.tile - side if side <= self.tile else 2 * (self.overlap // 4)
        before, period = missing // 2, max(2 * (side - 1), 1)
        distance = (torch.arange(side + missing) - before) % period
        return before, torch.minimum(distance, period - distance)

    def _blend(self, image: Tensor) -> Tensor:
        """Return the translation of an image of at least a tile: the weighted sum of its tiles."""
        sides = tuple(image.shape[1:])
        down, across = (Windows(side, self.tile, self.overlap) for side in sides)
        vertical, horizontal = down.weights(self.scale), across.weights(self.scale)
        places = [*product(enumerate(down.starts), enumerate(across.starts))]
        tiles = self._translations(image, [(top, left) for (_, top), (_, left) in places])
        whole, length = torch.zeros(1, *(self.scale * side for side in sides)), self.tile
        for ((i, top), (j, left)), tile in zip(places, tiles, strict=True):
            if len(whole) != len(tile):
                whole = whole.repeat(len(tile), 1, 1)
            y, x = (slice(self.scale * a, self.scale * (a + length)) for a in (top, left))
            whole[:, y, x] += vertical[i, y, None] * horizontal[j, x] * tile
        return whole

    def _translations(self, image: Tensor, corners: list[tuple[int, int]]) -> Iterator[Tensor]:
        """Yield the translation of each tile, given by its corner, on the CPU."""
        size, length = max(1, _PIXELS // self.tile**2), self.tile
        for first in range(0, len(corners), size):
            part = corners[first : first + size]
            tiles = [image[:, y : y + length, x : x + length] for y, x in part]
            yield from self.translate(torch.stack(tiles)).cpu()
