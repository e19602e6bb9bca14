"""Inpainting: a hole is filled."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.degradations.base import Degradation, Setting, check_least, draws
from datamodules.degradations.classical import restoration
from datamodules.errors import DataError

FILL = 0.0  # mid gray
SQUARE = 3  # pixels of the least square by which a hole is found
TOLERANCE = 1.5 / 255  # the levels of 8 bits next to mid gray differ from it by 1 / 255


class Inpaint(Degradation):
    """Fills a square with mid gray.

    The classical restoration solves the biharmonic equation in the square. It knows a centred
    square; a random one is found in the source as the square with most pixels of mid gray.

    Source: Damelin and Hoang 2018, On surface completion and image inpainting by biharmonic
    functions.

    Args:
        size: height and width of the square in pixels, at least 1.
        random: draw its position; otherwise, it is centred.

    Raises:
        DataError: if `size` is below 1.
    """

    name = "inpaint"
    classical = "biharmonic"

    def __init__(self, size: int = 12, random: bool = False) -> None:
        self.size, self.random = check_least("task.size", size, 1), random

    @property
    def settings(self) -> dict[str, Setting]:  # noqa: D102
        return super().settings | {"size": self.size, "random": self.random}

    def check(self, channels: int, resolution: int) -> None:  # noqa: D102
        super().check(channels, resolution)
        if self.size >= resolution:
            raise DataError(
                f"task.size={self.size}: the images have {resolution} pixels a side: give at most"
                f" {resolution - 1}"
            )

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:  # noqa: D102
        corners = self._drawn(images, keys) if self.random else self._centred(images)
        return images.masked_fill(self._hole(images, corners), FILL)

    def baseline(self, sources: Tensor) -> Tensor:  # noqa: D102
        corners = self._found(sources) if self.random else self._centred(sources)
        holes = self._hole(sources, corners)[:, 0].cpu().numpy()
        fill = restoration().inpaint_biharmonic
        pairs = zip(sources.cpu().numpy(), holes, strict=True)
        filled = [torch.from_numpy(fill(source, hole, channel_axis=0)) for source, hole in pairs]
        return torch.stack(filled).to(sources).clamp_(-1, 1)

    def complete(self, sources: Tensor, images: Tensor) -> Tensor:
        """Return the images in the hole and the sources elsewhere.

        The hole is where squares of 3 pixels, or of ``size`` if that is less, are mid gray.
        """
        side = min(self.size, SQUARE)
        gray = ((sources - FILL).abs().amax(1, keepdim=True) < TOLERANCE).to(sources)
        squares = (F.avg_pool2d(gray, side, stride=1) > 1 - 1e-3).to(sources)
        hole = F.max_pool2d(F.pad(squares, [side - 1] * 4), side, stride=1) > 0
        return torch.where(hole, images, sources.to(images))

    def _centred(self, images: Tensor) -> Tensor:
        """Return the rows and columns of the first pixel of centred squares, int64 (B, 2)."""
        height, width = images.shape[2:]
        corner = [(height - self.size) // 2, (width - self.size) // 2]
        return torch.tensor(corner, device=images.device).expand(len(images), 2)

    def _drawn(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        """Return the same of squares at random."""
        ends = [side - self.size + 1 for side in images.shape[2:]]
        corners = [draws(key).integers(ends).tolist() for key in keys]
        return torch.tensor(corners, device=images.device)

    def _found(self, sources: Tensor) -> Tensor:
        """Return the same of the squares that have most pixels of mid gray."""
        gray = (sources - FILL).abs().amax(1) < TOLERANCE
        shares = F.avg_pool2d(gray.to(sources), self.size, stride=1)
        best, columns = shares.flatten(1).argmax(1), shares.shape[2]
        return torch.stack([best // columns, best % columns], 1)

    def _hole(self, images: Tensor, corners: Tensor) -> Tensor:
        """Return where the squares are, bool (B, 1, H, W)."""
        rows, columns = (torch.arange(side, device=images.device) for side in images.shape[2:])
        top, left = corners[:, 0, None], corners[:, 1, None]
        inside = (rows >= top) & (rows < top + self.size)
        across = (columns >= left) & (columns < left + self.size)
        return inside[:, None, :, None] & across[:, None, None, :]
