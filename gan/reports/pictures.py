"""Pictures in a page, reduced until they fit."""

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from gan.errors import InputError, printable
from gan.files import open_file

_QUALITY = 80  # of WebP, 0 to 100
_SMALLEST = 96  # pixels of the longer side
_MOMENTS = 4  # of a sequence, for which larger pictures are reduced
_FRAMES = 60  # of an animation, at most


@dataclass(frozen=True)
class Picture:
    """A picture as a page holds it.

    Attributes:
        src: data URI of a WebP file.
        width: pixels.
        height: pixels.
        reduced: whether the file has more pixels.
    """

    src: str
    width: int
    height: int
    reduced: bool


def encode(path: Path, side: int) -> Picture:
    """Return the picture of a file, its longer side reduced to ``side`` pixels.

    It is decoded and written anew, so that nothing else of the file enters the page. An animation
    keeps up to 60 frames.

    Raises:
        InputError: if it is no picture.
    """
    try:
        with open_file(path) as file, Image.open(file) as opened:
            factor = min(1.0, side / max(opened.size))
            width, height = (max(1, round(factor * length)) for length in opened.size)
            first, *others = _frames(opened, (width, height))
            content = BytesIO()
            animation: dict[str, Any] = {
                "save_all": True,
                "append_images": others,
                "duration": 120,
                "loop": 0,
            }
            first.save(content, "WEBP", quality=_QUALITY, **(animation if others else {}))
    except (OSError, SyntaxError, ValueError, InputError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is no whole picture ({printable(str(error))})") from error
    text = base64.b64encode(content.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{text}", width, height, factor < 1)


def _frames(opened: Image.Image, size: tuple[int, int]) -> list[Image.Image]:
    """Return the frames of a picture, evenly thinned to those that a page shows."""
    count = getattr(opened, "n_frames", 1)
    kept = set(range(0, count, math.ceil(count / _FRAMES)))
    frames = (f for i, f in enumerate(ImageSequence.Iterator(opened)) if i in kept)
    return [frame.convert("RGB").resize(size, Image.Resampling.BOX) for frame in frames]


def spread_evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """Return ``count`` of the paths, the last among them and evenly spread before it."""
    if count >= len(paths):
        return list(paths)
    return [paths[-1 - round(i * (len(paths) - 1) / max(count - 1, 1))] for i in range(count)][::-1]


class Album:
    """Encodes pictures that share a number of bytes.

    Args:
        budget: bytes for all pictures of the page.
        shares: runs, or other parts of the page, that share them evenly.
        side: pixels of the longer side, at most.

    Attributes:
        faults: a line for each file that is no picture.
        left_out: pictures that had no place.
    """

    def __init__(self, budget: int, shares: int, side: int) -> None:
        self.share, self.side = budget / max(shares, 1), side
        self.faults: list[str] = []
        self.left_out = 0

    def film(self, paths: Sequence[Path], most: int = 40) -> dict[Path, Picture]:
        """Return pictures of a sequence, evenly spread, the last among them.

        They are reduced until four have a place.
        """
        least = self.share / max(1, min(_MOMENTS, len(paths)))
        last = self._within(paths[-1], least) if paths else None
        if last is None:
            self.left_out += max(len(paths) - 1, 0)
            return {}
        side = max(last.width, last.height)
        count = max(1, min(most, int(self.share / len(last.src))))
        kept = [p for p in spread_evenly(paths, count) if p != paths[-1]]
        found = {path: picture for path in kept if (picture := self._encode(path, side))}
        while found and sum(len(p.src) for p in (*found.values(), last)) > self.share:
            found = {path: found[path] for path in list(found)[1::2]}
        self.left_out += len(paths) - len(found) - 1
        return {**found, paths[-1]: last}

    def gallery(self, paths: Sequence[Path]) -> dict[Path, Picture]:
        """Return pictures that share the place evenly; those without a place are left out."""
        each = self.share / max(len(paths), 1)
        return {path: found for path in paths if (found := self._within(path, each))}

    def _within(self, path: Path, most: float) -> Picture | None:
        """Return a picture of at most so many characters, or ``None`` and note why."""
        for side in _sides(self.side):
            picture = self._encode(path, side)
            if picture is None or len(picture.src) <= most:
                return picture
        self.left_out += 1
        return None

    def _encode(self, path: Path, side: int) -> Picture | None:
        """Return a picture, or ``None`` and note the fault."""
        try:
            return encode(path, side)
        except InputError as error:
            self.faults.append(str(error))
            return None


def _sides(largest: int) -> Iterator[int]:
    """Yield smaller and smaller sides."""
    side = largest
    while side >= _SMALLEST:
        yield side
        side = int(side / 1.5)
