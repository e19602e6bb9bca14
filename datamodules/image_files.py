"""Image files in a folder or a zip: their names, bytes and pixels."""

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
from datamodules.files import wrap_read_errors

Pixels = npt.NDArray[np.uint8]

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MODES = {1: "L", 3: "RGB"}


def _extensions() -> tuple[str, ...]:
    registered = Image.registered_extensions()
    return tuple(sorted(ext for ext, kind in registered.items() if kind in FORMATS))


EXTENSIONS = _extensions()
DECOMPRESSION_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
MAX_FILE_BYTES = 2**29  # of one file: no image of as many pixels as Pillow allows needs more


def visible_images(names: Iterable[str]) -> list[str]:
    """Those names, sorted, that are images and not hidden (`.x`, `__MACOSX/x`)."""
    return sorted(
        name
        for name in names
        if name.lower().endswith(EXTENSIONS)
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    )


class ImageSource(ABC):
    """A place that holds image files under relative names with forward slashes.

    Args:
        path: the folder or the archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> list[str]:
        """The names of the images, sorted."""

    @abstractmethod
    def size(self, name: str) -> int:
        """The bytes of one file, told without reading it."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of one file."""

    @abstractmethod
    def stamp(self, name: str) -> str:
        """What changes when the file changes, without reading it."""


class FolderSource(ImageSource):
    """The files below a folder, at any depth."""

    def names(self) -> list[str]:  # noqa: D102
        def stop(error: OSError) -> None:
            raise error

        with wrap_read_errors(self.path):
            found = [
                (Path(folder) / file).relative_to(self.path).as_posix()
                for folder, _, files in os.walk(self.path, onerror=stop, followlinks=True)
                for file in files
            ]
        return visible_images(found)

    def size(self, name: str) -> int:  # noqa: D102
        return (self.path / name).stat().st_size

    def read(self, name: str) -> bytes:  # noqa: D102
        with open(self.path / name, "rb") as file:
            return file.read()

    def stamp(self, name: str) -> str:  # noqa: D102
        status = (self.path / name).stat()
        return f"{status.st_size} {status.st_mtime_ns}"


class ZipSource(ImageSource):
    """The files of a zip; a single folder around all of them is no part of their names.

    Nothing is ever unpacked to disk. An archive with names that lead out of it is refused.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with wrap_read_errors(path, "copy the whole zip file there"):
            members = _archive(path, os.getpid()).infolist()
        for member in members:
            if _is_unsafe(member):
                raise DataError(
                    f"{path}: {member.filename!r} in it leads out of the archive: pack it anew"
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
    """Whether a member is a link, or its name absolute or one that climbs."""
    path = PureWindowsPath(member.filename)  # knows both kinds of slash, and drives
    return ".." in path.parts or bool(path.anchor) or stat.S_ISLNK(member.external_attr >> 16)


@lru_cache(maxsize=2)
def _archive(path: Path, process: int) -> zipfile.ZipFile:
    """The open archive of one process: a file position is not shared across a fork."""
    return zipfile.ZipFile(path)


@dataclass(frozen=True)
class Decoder:
    """Files to pixels: upright, resized until they cover the square, cropped at the centre.

    Attributes:
        source: where the files are.
        channels: 1 (grey) or 3 (colour).
        resolution: side of the square in pixels; Lanczos resampling.
    """

    source: ImageSource
    channels: int
    resolution: int

    def __call__(self, name: str) -> Pixels:
        """The uint8 pixels (C, R, R) of one file.

        Raises:
            DataError: the file cannot be read or is no whole image.
        """
        where = f"{self.source.path / name}"
        with wrap_read_errors(where, "replace or delete it"), _check_pixel_count(where):
            if self.source.size(name) > MAX_FILE_BYTES:
                raise DataError(f"{where}: is larger than {MAX_FILE_BYTES:,} bytes: make it smaller")
            image = self._upright(self.source.read(name), where)
        side = (self.resolution, self.resolution)
        pixels = np.asarray(ImageOps.fit(image, side, Image.Resampling.LANCZOS), dtype=np.uint8)
        return pixels.reshape(*side, self.channels).transpose(2, 0, 1)

    def batch(self, names: Sequence[str]) -> torch.Tensor:
        """The uint8 pixels (n, C, R, R) of several files."""
        return torch.from_numpy(np.stack([self(name) for name in names]))

    def _upright(self, data: bytes, where: str) -> Image.Image:
        try:
            opened = Image.open(BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise DataError(f"{where}: is not an image: replace or delete it") from error
        with opened as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(f"{where}: has more than 8 bits a channel: convert it to 8 bits")
            return ImageOps.exif_transpose(image).convert(MODES[self.channels])


@contextmanager
def _check_pixel_count(where: str) -> Iterator[None]:
    """Refuses images of far more pixels than a photograph has, before they are decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except DECOMPRESSION_BOMBS as error:
        raise DataError(
            f"{where}: has more than {Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller"
        ) from error


def image_source(path: Path) -> ImageSource:
    """The source for a folder or a zip file."""
    with wrap_read_errors(path):
        return ZipSource(path) if path.is_file() else FolderSource(path)
