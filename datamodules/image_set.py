"""All images of a folder, a zip file or an .npz file, to be measured."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.file_split import FileSplit
from datamodules.files import open_file, wrap_read_errors
from datamodules.image_files import (
    CROPS,
    EXTENSIONS,
    MODES,
    Decoder,
    Pixels,
    check_size,
    image_source,
    to_pixels,
)
from datamodules.loader import Batch, to_batch
from datamodules.split import Split, TensorSplit, row_slices

KEY = "arr_0"  # of the images among arrays
SPLIT = "train"  # the only one


class ImageSet(ABC):
    """Images without labels, all in one split "train".

    Args:
        root: the folder or the file.
        resolution: height and width in pixels; by default the shorter side of the first image.
        channels: 1 (grey) or 3 (colour), to which all images are converted.
        exact: refuse images of another size instead of resizing them.
        workers: processes that decode files, if not all images fit into memory.
        memory_limit: maximum bytes of decoded images held in memory.

    Attributes:
        name: of the folder or file.
        num_classes: 0.

    Raises:
        DataError: if there are no images, or they cannot be read.
    """

    num_classes = 0

    def __init__(
        self,
        root: str,
        resolution: int | None = None,
        channels: int = 3,
        exact: bool = True,
        workers: int = 2,
        memory_limit: int = 2 * 2**30,
    ) -> None:
        self.path = Path(root).expanduser()
        self.name, self.channels, self.exact = self.path.resolve().name, channels, exact
        self.workers, self.memory_limit = workers, memory_limit
        self.resolution = self.first_side() if resolution is None else resolution

    @abstractmethod
    def first_side(self) -> int:
        """Return the shorter side of the first image in pixels."""

    @abstractmethod
    def load(self) -> Split:
        """Return all images."""

    @cached_property
    def _images(self) -> Split:
        """Return all images, which are read at the first call."""
        return self.load()

    def split(self, split: str) -> Split:
        """Return the split "train", which has all images.

        Raises:
            DataError: if there is no such split, or an image cannot be read or is refused.
        """
        if split != SPLIT:
            raise DataError(f"{self.path}: has no {split} split: all its images are in {SPLIT}")
        return self._images

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256 of the images, in hexadecimal."""
        return self.split(split).fingerprint()

    def reals(
        self, split: str, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Yield the part of a process in batches: images in [-1, 1], and no labels."""
        data = self.split(split)
        indices = torch.arange(len(data)).tensor_split(world_size)[rank]
        batches = (indices[rows] for rows in row_slices(len(indices), batch_size))
        return (to_batch(data, stored, torch.device("cpu")) for stored in data.stream(batches))


class FileSet(ImageSet):
    """The images of a folder or a zip file, at any depth.

    They are ordered by their names without folders, as ``ganymede sample`` numbers them.
    """

    @cached_property
    def _names(self) -> list[str]:
        """Return the files."""
        names = image_source(self.path).names()
        if not names:
            raise DataError(
                f"{self.path}: has no images ({' '.join(EXTENSIONS)}): name a folder with images"
            )
        return sorted(names, key=lambda name: (PurePosixPath(name).name, name))

    def first_side(self) -> int:  # noqa: D102
        return min(Decoder(image_source(self.path), self.channels, 1).read(self._names[0]).size)

    def load(self) -> Split:
        """Return all images, in memory if they fit."""
        source = image_source(self.path)
        decoder = Decoder(source, self.channels, self.resolution, exact=self.exact)
        files = FileSplit(decoder, self._names, None, self.workers)
        return files.within(self.memory_limit)


class ArraySet(ImageSet):
    """The array ``arr_0`` of an ``.npz`` file, uint8 (n, H, W, C) with 1 or 3 channels."""

    @cached_property
    def _pixels(self) -> Pixels:
        """Return the array."""
        with wrap_read_errors(self.path, "write it again"), open_file(self.path) as file:
            pixels = np.asarray(np.load(file, allow_pickle=False)[KEY])
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[-1] not in MODES:
            raise DataError(
                f"{self.path}: {KEY} is {pixels.dtype} of shape {pixels.shape}: give uint8 of shape"
                " (n, H, W, C) with 1 or 3 channels"
            )
        if not pixels.size:
            raise DataError(f"{self.path}: {KEY} has no images: write it again")
        return pixels

    def first_side(self) -> int:  # noqa: D102
        return int(min(self._pixels.shape[1:3]))

    def load(self) -> Split:
        """Return all images, in memory."""
        images = [self._square(k, pixels) for k, pixels in enumerate(self._pixels)]
        return TensorSplit(torch.from_numpy(np.stack(images)))

    def _square(self, number: int, pixels: Pixels) -> Pixels:
        """Return an image (H, W, C) as (C, R, R)."""
        image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
        if self.exact:
            check_size(image, self.resolution, f"{self.path}, image {number}")
        image = image.convert(MODES[self.channels])
        return to_pixels(CROPS["centre"](image, self.resolution, ""))
