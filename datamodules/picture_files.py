"""Pictures of any size of a folder or a zip file, or a single one, read one by one."""

import zipfile
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from datamodules.errors import DataError
from datamodules.files import wrap_read_errors
from datamodules.image_files import (
    EXTENSIONS,
    Decoder,
    FileSource,
    FolderSource,
    ImageSource,
    ZipSource,
    to_pixels,
)


class PictureFiles:
    """Pictures as they are decoded for training, at their own size or at that of training.

    Args:
        root: a folder with pictures at any depth, a zip file, or a picture.
        channels: 1 (grey) or 3 (colour), to which they are converted.
        resolution: height and width to which they are cropped and resized; None keeps their size.
        crop: how they become square; see :class:`~datamodules.image_files.Decoder`.
        background: colour on which pictures with transparency are put.

    Attributes:
        names: of the files, sorted, relative to the folder, with forward slashes.

    Raises:
        DataError: if there are no pictures, or a file is none.
    """

    def __init__(
        self,
        root: str,
        channels: int,
        resolution: int | None = None,
        crop: str = "centre",
        background: str = "white",
    ) -> None:
        source = _source(Path(root))
        self._decoder = Decoder(source, channels, resolution or 1, crop, background)
        self._own_size = resolution is None
        self.names = source.names()
        if not self.names:
            raise DataError(
                f"{root}: has no images ({' '.join(EXTENSIONS)}): add some, or name others"
            )
        self.found = self._find()

    def _find(self) -> tuple[str, ...]:
        """Return what is done to the pixels, a phrase each."""
        phrases = [self._decoder.properties(name, not self._own_size) for name in self.names]
        counts = Counter(phrase for found in phrases for phrase in found)
        return tuple(f"{n} of {len(self.names)} files {what}" for what, n in counts.items())

    def read(self, name: str) -> Tensor:
        """Return the uint8 pixels (C, H, W) of a file.

        Raises:
            DataError: if it cannot be read or is not complete.
        """
        whole = to_pixels(self._decoder.read(name)) if self._own_size else self._decoder(name)
        return torch.from_numpy(whole.copy())


def _source(path: Path) -> ImageSource:
    """Return the files of a folder, of a zip file, or a single one."""
    with wrap_read_errors(path):
        if not path.is_file():
            return FolderSource(path)
        if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
            return ZipSource(path)
        return FileSource(path)
