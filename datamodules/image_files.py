"""Image files in a folder or a zip file."""

import os
import stat
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from datamodules.errors import DataError
from datamodules.files import open_file, wrap_read_errors

Pixels = npt.NDArray[np.uint8]

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MODES = {1: "L", 3: "RGB"}
FILTER = Image.Resampling.LANCZOS
ORIENTATION = 0x0112  # of EXIF
UPRIGHT = 4  # largest value with which rows stay rows
MOST_16_BITS = 2**16 - 1


def _extensions() -> tuple[str, ...]:
    """Return the file extensions of the accepted formats."""
    registered = Image.registered_extensions()
    return tuple(sorted(ext for ext, kind in registered.items() if kind in FORMATS))


EXTENSIONS = _extensions()
DECOMPRESSION_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
MAX_FILE_BYTES = 2**29  # of one file, enough for Pillow's maximum number of pixels


def _is_hidden(name: str) -> bool:
    """Return whether a file is hidden, or in a hidden folder (`.x`, `__MACOSX/x`)."""
    if not name.startswith((".", "__MACOSX")) and "/." not in name and "/__MACOSX" not in name:
        return False
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


class ImageSource(ABC):
    """A folder or archive of image files, named by relative paths with forward slashes.

    Args:
        path: the folder or the archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def _all_files(self) -> Iterable[str]:
        """Return the names of all files."""

    @cached_property
    def files(self) -> frozenset[str]:
        """Return the names of all files that are not hidden."""
        return frozenset(name for name in self._all_files() if not _is_hidden(name))

    def names(self) -> list[str]:
        """Return the names of the images, sorted."""
        return sorted(name for name in self.files if name.lower().endswith(EXTENSIONS))

    @abstractmethod
    def size(self, name: str) -> int:
        """Return the size of a file in bytes, without reading it."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the content of a file."""

    @abstractmethod
    def stamp(self, name: str) -> str:
        """Return a string that changes when the file changes, without reading it."""


class FolderSource(ImageSource):
    """The files below a folder, at any depth."""

    def _all_files(self) -> list[str]:
        """Return the names of all files."""
        with wrap_read_errors(self.path):
            return list(self._walk())

    def _walk(self) -> Iterator[str]:
        """Yield the names of the files below the folder, at any depth, through links too.

        Raises:
            DataError: if links lead to the same folder twice, which may never end.
        """

        def stop(error: OSError) -> None:
            raise error

        visited: set[tuple[int, int]] = set()
        for folder, _, files in os.walk(self.path, onerror=stop, followlinks=True):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                raise DataError(f"{folder}: links lead to this folder twice: remove one of them")
            visited.add((status.st_dev, status.st_ino))
            inner = Path(folder).relative_to(self.path).as_posix()
            yield from files if inner == "." else (f"{inner}/{file}" for file in files)

    def size(self, name: str) -> int:  # noqa: D102
        return (self.path / name).stat().st_size

    def read(self, name: str) -> bytes:  # noqa: D102
        with open_file(self.path / name) as file:
            return file.read()

    def stamp(self, name: str) -> str:  # noqa: D102
        status = os.stat(f"{self.path}/{name}")
        return f"{status.st_size} {status.st_mtime_ns}"


class FileSource(FolderSource):
    """A single file of any name."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self._name = path.name

    def names(self) -> list[str]:
        """Return the name of the file."""
        return [self._name]


class ZipSource(ImageSource):
    """The files of a zip file; backslashes in their names are slashes.

    Nothing is extracted to disk. An archive with paths outside itself is refused.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with wrap_read_errors(path, "copy the whole zip file there"):
            members = _archive(path, os.getpid()).infolist()
        for member in members:
            if _is_unsafe(member):
                raise DataError(
                    f"{path}: {member.filename!r} is outside the archive: create the zip file again"
                )
        files = (member.filename for member in members if not member.is_dir())
        self._members = {name.replace("\\", "/"): name for name in files}

    def _all_files(self) -> Iterable[str]:
        """Return the names of all files."""
        return self._members

    def _info(self, name: str) -> zipfile.ZipInfo:
        """Return the entry of a file."""
        return _archive(self.path, os.getpid()).getinfo(self._members[name])

    def size(self, name: str) -> int:  # noqa: D102
        return self._info(name).file_size

    def read(self, name: str) -> bytes:  # noqa: D102
        return _archive(self.path, os.getpid()).read(self._members[name])

    def stamp(self, name: str) -> str:  # noqa: D102
        return str(self._info(name).CRC)


def _is_unsafe(member: zipfile.ZipInfo) -> bool:
    """Return whether a member is a link, or its path is absolute or contains ".."."""
    path = PureWindowsPath(member.filename)  # knows both kinds of slash, and drives
    return ".." in path.parts or bool(path.anchor) or stat.S_ISLNK(member.external_attr >> 16)


@lru_cache(maxsize=2)
def _archive(path: Path, process: int) -> zipfile.ZipFile:
    """Return the open archive of one process; processes must not share a file position."""
    return zipfile.ZipFile(path)


@dataclass(frozen=True)
class Decoder:
    """Decode files to square images: EXIF rotation, background, 8 bits a channel, square.

    Attributes:
        source: the image files.
        channels: 1 (grey) or 3 (colour).
        resolution: height and width in pixels; the filter is Lanczos.
        crop: how images become square: "centre" cuts out the centre square, "pad" fills the rest
            of a square with the background, "stretch" changes the proportions.
        background: colour, as Pillow names it, on which images with transparency are put.
        exact: refuse images of another size.
    """

    source: ImageSource
    channels: int
    resolution: int
    crop: str = "centre"
    background: str = "white"
    exact: bool = False

    def __call__(self, name: str) -> Pixels:
        """Return the uint8 pixels (C, R, R) of a file.

        Raises:
            DataError: if the file cannot be read, is not a complete image, or is refused.
        """
        image = self.read(name)
        if self.exact:
            check_size(image, self.resolution, f"{self.source.path / name}")
        return to_pixels(CROPS[self.crop](image, self.resolution, self.background))

    def read(self, name: str) -> Image.Image:
        """Return the decoded image of a file, in its own size.

        Raises:
            DataError: if the file cannot be read or is not a complete image.
        """
        where = f"{self.source.path / name}"
        with wrap_read_errors(where, "replace or delete it"), _check_pixel_count(where):
            return self._upright(self._content(name, where), where)

    def properties(self, name: str, squared: bool = True) -> tuple[str, ...]:
        """Return what is done to a file beside decoding and resizing, a phrase each.

        Args:
            name: of the file.
            squared: it becomes square.
        """
        where = f"{self.source.path / name}"
        with (
            wrap_read_errors(where, "replace or delete it"),
            _check_pixel_count(where),
            _open(self._content(name, where), where) as image,
        ):
            found = {
                "animated, of which the first frame is taken": getattr(image, "is_animated", False),
                f"transparent, put on {self.background}": image.has_transparency_data,
                "of 16 bits a channel, scaled to 8": image.mode.startswith("I"),
                f"not square, made so by data.crop={self.crop}": squared
                and not self.is_square(*image.size),
            }
        return tuple(phrase for phrase, applies in found.items() if applies)

    def is_square(self, width: int, height: int) -> bool:
        """Return whether an image of this size is square as it is decoded."""
        return width == height

    @property
    def shape(self) -> str:
        """Return channels and resolution as text."""
        return f"{self.channels} {self.resolution}"

    @property
    def form(self) -> str:
        """Return what decides the pixels beside the file as text, of defaults only the shape."""
        defaults = self.crop == Decoder.crop and self.background == Decoder.background
        return self.shape if defaults else f"{self.shape} {self.crop} {self.background}"

    @property
    def pixels(self) -> tuple[int, int, int]:
        """Return the shape (C, R, R) of a decoded image."""
        return self.channels, self.resolution, self.resolution

    def size(self, name: str) -> tuple[int, int]:
        """Return width and height of a file's upright image in pixels, without decoding it.

        Raises:
            DataError: if the file cannot be read or is no image.
        """
        where = f"{self.source.path / name}"
        with (
            wrap_read_errors(where, "replace or delete it"),
            _check_pixel_count(where),
            _open(self.source.read(name), where) as image,
        ):
            turned = image.getexif().get(ORIENTATION, 1) > UPRIGHT
            return (image.height, image.width) if turned else image.size

    def batch(self, names: Sequence[str]) -> torch.Tensor:
        """Return the uint8 pixels (n, C, R, R) of several files."""
        return torch.from_numpy(np.stack([self(name) for name in names]))

    def _content(self, name: str, where: str) -> bytes:
        """Return the content of a file, if it is no larger than what Pillow reads."""
        if self.source.size(name) > MAX_FILE_BYTES:
            raise DataError(f"{where}: is larger than {MAX_FILE_BYTES:,} bytes: make it smaller")
        return self.source.read(name)

    def _upright(self, data: bytes, where: str) -> Image.Image:
        """Return the decoded image without transparency, rotated as its EXIF data say."""
        with _open(data, where) as image:
            if image.mode.startswith("F"):
                raise DataError(f"{where}: its pixels are not whole numbers: convert it to 8 bits")
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):
                return _scaled_to_bytes(upright, where).convert(MODES[self.channels])
            if upright.has_transparency_data:
                upright = _composited(upright, self.background)
            return upright.convert(MODES[self.channels])


def _open(data: bytes, where: str) -> Image.Image:
    """Return an image whose pixels are not decoded yet.

    Raises:
        DataError: if it is none.
    """
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise DataError(f"{where}: is not an image: replace or delete it") from error


def _scaled_to_bytes(image: Image.Image, where: str) -> Image.Image:
    """Return a grey image of 16 bits as one of 8; 65535 becomes 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > MOST_16_BITS:
        raise DataError(f"{where}: has more than 16 bits a channel: convert it to 8 bits")
    return Image.fromarray(((values * 255 + MOST_16_BITS // 2) // MOST_16_BITS).astype(np.uint8))


def _composited(image: Image.Image, background: str) -> Image.Image:
    """Return an image with transparency on a background."""
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")


def _fit(image: Image.Image, side: int, background: str) -> Image.Image:
    """Return the centre square of an image, cut out before the resize."""
    edge = min(image.size)
    left, top = ((length - edge) // 2 for length in image.size)
    return image.crop((left, top, left + edge, top + edge)).resize((side, side), FILTER)


def _pad(image: Image.Image, side: int, background: str) -> Image.Image:
    """Return an image inside a square of the background."""
    color = ImageColor.getcolor(background, image.mode)
    return ImageOps.pad(image, (side, side), FILTER, color=color)


def _stretch(image: Image.Image, side: int, background: str) -> Image.Image:
    """Return an image stretched to a square."""
    return image.resize((side, side), FILTER)


CROPS: dict[str, Callable[[Image.Image, int, str], Image.Image]] = {
    "centre": _fit,
    "pad": _pad,
    "stretch": _stretch,
}


def check_size(image: Image.Image, resolution: int, where: str) -> None:
    """Refuse an image that is not of resolution x resolution pixels.

    Raises:
        DataError: with its size.
    """
    if image.size != (resolution, resolution):
        width, height = image.size
        raise DataError(
            f"{where}: {width}x{height} pixels where {resolution}x{resolution} are expected: add "
            f"resolution={resolution} to resize such images"
        )


def to_pixels(image: Image.Image) -> Pixels:
    """Return the uint8 pixels (C, H, W) of a grey or colour image."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)


@contextmanager
def _check_pixel_count(where: str) -> Iterator[None]:
    """Raise DataError on an image with too many pixels, before it is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except DECOMPRESSION_BOMBS as error:
        raise DataError(
            f"{where}: has more than {Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller"
        ) from error


def image_source(path: Path) -> ImageSource:
    """Return the source of a folder or a zip file."""
    with wrap_read_errors(path):
        return ZipSource(path) if path.is_file() else FolderSource(path)
