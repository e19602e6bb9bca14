"""The pictures of a run's training as an animation."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from omegaconf import MISSING
from PIL import Image, ImageDraw, ImageFont, ImageOps

from gan.errors import InputError
from gan.files import open_file, replacement
from gan.runs.folder import Run

_NAME = re.compile(r"step_(\d+)\.png")
_FORMATS = {".gif": "GIF", ".webp": "WEBP"}  # by the ending of a file
_FONT, _GAP = 16, 6  # pixels of the line below the picture
_PAPER, _INK, _BAR = (255, 255, 255), (0, 0, 0), (31, 119, 180)
_SHORTEST = 20  # milliseconds of a frame, below which browsers slow an animation down


@dataclass
class FilmOptions:
    """Settings of ``ganymede film``.

    Attributes:
        run: the run folder, which may still be in training.
        out: NAME.gif or NAME.webp; by default ``figures/film.gif`` in the run folder.
        fps: frames a second, at most 50.
        seconds: instead, length of the film without the time of its last frame.
        hold: seconds that the last frame stays.
        frames: at most, spread evenly over the pictures; the first and the last are kept.
        width: of the film in pixels, at most; larger pictures are reduced by a whole factor.
    """

    run: str = MISSING
    out: str | None = None
    fps: float | None = None
    seconds: float | None = None
    hold: float = 2.0
    frames: int = 60
    width: int = 720


@dataclass(frozen=True)
class Still:
    """A picture that training wrote.

    Attributes:
        step: of training.
        path: of the file.
    """

    step: int
    path: Path

    def read(self) -> Image.Image | None:
        """Return the picture, or ``None`` if the file is no whole picture."""
        try:
            with open_file(self.path) as file, Image.open(file) as opened:
                return opened.convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return None


def film(options: FilmOptions) -> None:
    """Write the pictures of fixed latents over training as an animation."""
    out = Path(options.out) if options.out else Path(options.run) / "figures" / "film.gif"
    _check(options, out)
    found = stills(Run(options.run).path / "samples")
    chosen = _spread_evenly(found, options.frames)
    pictures = [*_read(chosen)]
    if len(pictures) < 2:
        raise InputError(
            f"run={options.run}: a film needs two pictures in samples, and there are "
            f"{len(pictures)}: train longer, or set callbacks.samples.every"
        )
    frames = [*_frames(pictures, options.width)]
    durations = _durations(options, len(frames))
    first, *others = frames
    with replacement(out) as part:
        kind = _FORMATS[out.suffix]
        first.save(
            part, kind, save_all=True, append_images=others, duration=durations, loop=0, quality=90
        )
    print(f"{len(frames)} frames, steps {pictures[0][0]} to {pictures[-1][0]}", out, sep="\n")


def stills(folder: Path) -> list[Still]:
    """Return the pictures of a folder in the order of their steps."""
    names = ((_NAME.fullmatch(path.name), path) for path in folder.glob("*.png"))
    found = (Still(int(match[1]), path) for match, path in names if match)
    return sorted(found, key=lambda still: still.step)


def _check(options: FilmOptions, out: Path) -> None:
    """Refuse settings that are out of range or do not go together."""
    if out.suffix not in _FORMATS:
        raise InputError(f"out={out}: give a name that ends in {' or '.join(_FORMATS)}")
    if options.fps is not None and options.seconds is not None:
        raise InputError("fps, seconds: give one of the two")
    if options.fps is not None and not 0 < options.fps <= 1000 / _SHORTEST:
        raise InputError(f"fps={options.fps}: give a number above 0, at most {1000 // _SHORTEST}")
    for name in ("seconds", "hold"):
        value = getattr(options, name)
        if value is not None and not (value > 0 and isfinite(value)):
            raise InputError(f"{name}={value}: give a number above 0")
    if options.frames < 2 or options.width < 16:
        raise InputError(
            f"frames={options.frames} must be 2 or more, width={options.width} 16 or more"
        )


def _spread_evenly(found: Sequence[Still], count: int) -> list[Still]:
    """Return at most ``count`` pictures, the first and the last among them."""
    if len(found) <= count:
        return [*found]
    return [found[round(k * (len(found) - 1) / (count - 1))] for k in range(count)]


def _read(chosen: Sequence[Still]) -> Iterator[tuple[int, Image.Image]]:
    """Yield step and picture of each file; one that is damaged is reported and left out."""
    for still in chosen:
        image = still.read()
        if image is None:
            print(f"left out: {still.path} is no whole picture")
        else:
            yield still.step, image


def _frames(pictures: Sequence[tuple[int, Image.Image]], width: int) -> Iterator[Image.Image]:
    """Yield pictures of one size, each above its step and a bar of the time of training."""
    wide = max(image.width for _, image in pictures)
    high = max(image.height for _, image in pictures)
    factor = -(-wide // width)  # whole: pixels of samples are repeated, which it undoes
    size = (-(-wide // factor), -(-high // factor))
    last = max(pictures[-1][0], 1)
    for step, image in pictures:
        frame = Image.new("RGB", (size[0], size[1] + _FONT + 2 * _GAP), _PAPER)
        frame.paste(_fit(image.reduce(factor), size), (0, 0))
        pen = ImageDraw.Draw(frame)
        pen.rectangle((0, size[1], step / last * size[0], size[1] + 2), fill=_BAR)
        font = ImageFont.load_default(_FONT)
        pen.text((_GAP, size[1] + _GAP), f"step {step:,}", _INK, font)
        yield frame


def _fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture in the middle of a white one of a size, its pixels repeated or left out."""
    if image.size == size:
        return image
    return ImageOps.pad(image, size, Image.Resampling.NEAREST, _PAPER)


def _durations(options: FilmOptions, count: int) -> list[int]:
    """Return how long each frame stays, in milliseconds.

    Raises:
        InputError: if the frames of a film of a given length would be too short.
    """
    if options.seconds is not None:
        each = round(1000 * options.seconds / (count - 1))
        if each < _SHORTEST:
            raise InputError(
                f"seconds={options.seconds}: {count} frames are too many for it: lower frames"
            )
    else:
        each = round(1000 / (8.0 if options.fps is None else options.fps))
    return [each] * (count - 1) + [round(1000 * options.hold)]
