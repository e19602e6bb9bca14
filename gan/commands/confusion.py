"""Confusion matrices, as numbers and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_FONT = 14  # pixels
_GAP = 6  # pixels around a text
_LONGEST = 20  # characters of a name
_MOST = 200  # classes with texts
_DOT = 4  # height and width of a cell without text
_INK = (31, 119, 180)
_PAPER, _BLACK, _LINE = (255, 255, 255), (0, 0, 0), (220, 220, 220)
_DARK = 0.5  # share from which a text is white
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Confusion:
    """Counts of images by their class and the class that was predicted.

    Attributes:
        counts: (K, K) of int64; rows are true classes, columns predicted ones.
        names: of the classes.
    """

    counts: Tensor
    names: Sequence[str]

    @classmethod
    def of(cls, labels: Tensor, predicted: Tensor, names: Sequence[str]) -> "Confusion":
        """Return the counts of labels (N,) and predicted classes (N,)."""
        k = len(names)
        return cls(torch.bincount(labels * k + predicted, minlength=k * k).view(k, k), names)

    @property
    def accuracy(self) -> float:
        """Return the share of images on the diagonal."""
        return float(self.counts.trace() / self.counts.sum())

    def content(self) -> dict[str, Any]:
        """Return accuracy, that of each class (``None`` without images), names and counts."""
        totals = self.counts.sum(1).tolist()
        hits = self.counts.diagonal().tolist()
        return {
            "accuracy": self.accuracy,
            "images": int(self.counts.sum()),
            "class_accuracy": [h / n if n else None for h, n in zip(hits, totals, strict=True)],
            "classes": list(self.names),
            "confusion": self.counts.tolist(),
        }

    def picture(self) -> Image.Image:
        """Return the matrix as a picture: each cell has its count, and the share of its row as ink.

        Beyond 200 classes there are no texts.
        """
        shares = (self.counts / self.counts.sum(1, keepdim=True).clamp(min=1)).tolist()
        if len(self.names) > _MOST:
            pixels = torch.tensor([[_blend(share) for share in row] for row in shares])
            image = Image.fromarray(pixels.to(torch.uint8).numpy())
            return image.resize((_DOT * image.width, _DOT * image.height), Image.Resampling.NEAREST)
        return _Sheet(self.counts.tolist(), [name[:_LONGEST] for name in self.names]).draw(shares)


class _Sheet:
    """The picture of a matrix with texts.

    Args:
        counts: of the cells.
        names: of rows and columns.
    """

    def __init__(self, counts: list[list[int]], names: Sequence[str]) -> None:
        self.font = ImageFont.load_default(_FONT)
        self.counts, self.names = counts, names
        widest = max(self._width(str(count)) for row in counts for count in row)
        self.cell = max(widest, _FONT) + 2 * _GAP
        self.margin = max(map(self._width, names)) + _FONT + 4 * _GAP  # title and names
        side = self.margin + len(names) * self.cell + 2 * _GAP
        self.image = Image.new("RGB", (side, side), _PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def _width(self, text: str) -> int:
        """Return the width of a text in pixels."""
        return int(self.font.getlength(text)) + 1

    def draw(self, shares: list[list[float]]) -> Image.Image:
        """Return the picture, with ink by the share of each cell."""
        middle = self.margin + len(self.names) * self.cell // 2
        self._turned("true class", _GAP + _FONT // 2, middle)
        self._text("predicted class", middle, _GAP + _FONT // 2, "mm")
        for k, name in enumerate(self.names):
            place = self.margin + k * self.cell + self.cell // 2
            self._text(name, self.margin - _GAP, place, "rm")
            self._turned(name, place, self.margin - _GAP, end=True)
            for column, count in enumerate(self.counts[k]):
                self._cell(k, column, count, shares[k][column])
        return self.image

    def _cell(self, row: int, column: int, count: int, share: float) -> None:
        """Draw a cell; one without images has no number."""
        left, top = (self.margin + place * self.cell for place in (column, row))
        box = (left, top, left + self.cell, top + self.cell)
        self.pen.rectangle(box, fill=_blend(share), outline=_LINE)
        if count:
            colour = _PAPER if share > _DARK else _BLACK
            middle = self.cell // 2
            self._text(str(count), left + middle, top + middle, "mm", colour)

    def _text(self, text: str, x: int, y: int, anchor: str, colour: Colour = _BLACK) -> None:
        """Write a text."""
        self.pen.text((x, y), text, fill=colour, font=self.font, anchor=anchor)

    def _turned(self, text: str, x: int, y: int, end: bool = False) -> None:
        """Write a text upwards around (x, y), or from above down to it, where it begins."""
        width, height = self._width(text), _FONT + _GAP
        line = Image.new("RGB", (width, height), _PAPER)
        ImageDraw.Draw(line).text((0, height // 2), text, _BLACK, self.font, "lm")
        turned = line.transpose(Image.Transpose.ROTATE_90)
        self.image.paste(turned, (x - height // 2, y - (width if end else width // 2)))


def _blend(share: float) -> Colour:
    """Return the colour of a share from 0, white, to 1, ink."""
    red, green, blue = (round(255 + (ink - 255) * share) for ink in _INK)
    return red, green, blue
