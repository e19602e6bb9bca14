"""Image files in a folder or a zip file."""

import os
import stat
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from datamodules.errors import DataError
from datamodules.files import open_file, wrap_read_errors

Pixels = npt.NDArray[np.uint8]

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MODES = {1: "L", 3: "RGB"}


def _extensions() -> tuple[str, ...]:
    """Return the file extensions of the accepted formats."""
    registered = Image.registered_extensions()
    return tuple(sorted(ext for ext, kind in registered.items() if kind in FORMATS))


EXTENSIONS = _extensions()
DECOMPRESSION_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
MAX_FILE_BYTES = 2**29  # of one file, enough for Pillow's maximum number of pixels


def visible_images(names: Iterable[str]) -> list[str]:
    """Return the sorted names of images that are not hidden (`.x`, `__MACOSX/x`)."""
    return sorted(
        name
        for name in names
        if name.lower().endswith(EXTENSIONS)
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    )


class ImageSource(ABC):
    """A folder or archive of image files, named by relative paths with forward slashes.

    Args:
        path: the folder or the archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the images, sorted."""

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

    def names(self) -> list[str]:  # noqa: D102
        with wrap_read_errors(self.path):
            files = [path.relative_to(self.path).as_posix() for path in self._walk()]
        return visible_images(files)

    def _walk(self) -> Iterator[Path]:
        """Yield the files below the folder, at any depth, through links too.

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
            yield from (Path(folder, file) for file in files)

    def size(self, name: str) -> int:  # noqa: D102
        return (self.path / name).stat().st_size

    def read(self, name: str) -> bytes:  # noqa: D102
        with open_file(self.path / name) as file:
            return file.read()

    def stamp(self, name: str) -> str:  # noqa: D102
        status = (self.path / name).stat()
        return f"{status.st_size} {status.st_mtime_ns}"


class ZipSource(ImageSource):
    """The files of a zip file; a single top-level folder is removed from their names.

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
        self._members = visible_images(member.filename for member in members)
        tops = {member.partition("/")[:2] for member in self._members}
        self._wrapper = "".join(tops.pop()) if len(tops) == 1 else ""

    def names(self) -> list[str]:  # noqa: D102
        return [member.removeprefix(self._wrapper) for member in self._members]

    def size(self, name: str) -> int:  # noqa: D102
        return _archive(self.path, os.getpid()).getinfo(self._wrapper + name).file_size

    def read(self, name: str) -> bytes:  # noqa: D102
        return _archive(self.path, os.getpid()).read(self._wrapper + name)

    def stamp(self, name: str) -> str:  # noqa: D102
        return str(_archive(self.path, os.getpid()).getinfo(self._wrapper + name).CRC)


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
    """Decode files to square images: EXIF rotation, resize to cover the square, centre crop.

    Attributes:
        source: the image files.
        channels: 1 (grey) or 3 (colour).
        resolution: height and width in pixels; the filter is Lanczos.
        exact: refuse images of another size instead.
    """

    source: ImageSource
    channels: int
    resolution: int
    exact: bool = False

    def __call__(self, name: str) -> Pixels:
        """Return the uint8 pixels (C, R, R) of a file.

        Raises:
            DataError: if the file cannot be read, is not a complete image, or of a refused size.
        """
        where = f"{self.source.path / name}"
        return to_square(self.read(name), self.resolution, self.exact, where)

    def read(self, name: str) -> Image.Image:
        """Return the image of a file as it is, upright.

        Raises:
            DataError: if the file cannot be read or is not a complete image.
        """
        where = f"{self.source.path / name}"
        with wrap_read_errors(where, "replace or delete it"), _check_pixel_count(where):
            if self.source.size(name) > MAX_FILE_BYTES:
                raise DataError(
                    f"{where}: is larger than {MAX_FILE_BYTES:,} bytes: make it smaller"
                )
            return self._upright(self.source.read(name), where)

    def batch(self, names: Sequence[str]) -> torch.Tensor:
        """Return the uint8 pixels (n, C, R, R) of several files."""
        return torch.from_numpy(np.stack([self(name) for name in names]))

    def _upright(self, data: bytes, where: str) -> Image.Image:
        """Return the decoded image, rotated as its EXIF data say."""
        try:
            opened = Image.open(BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise DataError(f"{where}: is not an image: replace or delete it") from error
        with opened as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(f"{where}: has more than 8 bits a channel: convert it to 8 bits")
            return ImageOps.exif_transpose(image).convert(MODES[self.channels])


def to_square(image: Image.Image, resolution: int, exact: bool, where: str) -> Pixels:
    """Return the uint8 pixels (C, R, R) of an image, resized to cover the square and cropped.

    Args:
        image: gray or in colour.
        resolution: R.
        exact: refuse an image of another size instead.
        where: the image is, for the message.

    Raises:
        DataError: if it is refused.
    """
    side = (resolution, resolution)
    if exact and image.size != side:
        width, height = image.size
        raise DataError(
            f"{where}: {width}x{height} pixels where {resolution}x{resolution} are expected: add "
            f"resolution={resolution} to resize such images"
        )
    pixels = np.asarray(ImageOps.fit(image, side, Image.Resampling.LANCZOS), dtype=np.uint8)
    return pixels.reshape(*side, -1).transpose(2, 0, 1)


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
