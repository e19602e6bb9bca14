"""Files of decoded images, made once and mapped into memory."""

import hashlib
import mmap
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from datamodules.errors import DataError
from datamodules.files import one_line, open_file
from datamodules.image_files import Pixels

Stamps = npt.NDArray[np.uint64]

DIGITS = 16  # of a digest in the name of a file
PART, STAMPS, LOCK = ".part", ".stamps", ".lock"  # in place of .npy while a file is made


class MappedImages:
    """The images of a file, which the system reads from disk when they are accessed.

    Args:
        path: of the file.
        header: bytes before the first image.
        shape: (n, C, R, R) of the images, uint8.
    """

    def __init__(self, path: Path, header: int, shape: tuple[int, ...]) -> None:
        with open_file(path) as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._map.madvise(mmap.MADV_RANDOM)  # no reading beyond what is accessed
        self._images: Pixels = np.frombuffer(self._map, np.uint8, offset=header).reshape(shape)
        self._header, self._row = header, self._images[0].nbytes

    def request(self, indices: Tensor) -> None:
        """Let the system read images from disk, all at once, without waiting for them.

        Args:
            indices: int64 (k,).
        """
        starts = indices.numpy() * self._row + self._header
        pages = starts // mmap.PAGESIZE * mmap.PAGESIZE
        lengths = starts + self._row - pages
        for page, length in zip(pages.tolist(), lengths.tolist(), strict=True):
            self._map.madvise(mmap.MADV_WILLNEED, page, length)

    def rows(self, indices: Tensor) -> Tensor:
        """Return a copy of the images (k, C, R, R) at int64 indices (k,), in their order."""
        return torch.from_numpy(np.take(self._images, indices.numpy(), axis=0))


class PixelCache:
    """A file of decoded images in NumPy's format, uint8 (n, C, R, R), made once.

    Its name ends with a digest of the stamps: other image files make another file. Until it is
    whole it is named ``NAME.part``. An interrupted making goes on after the last image of such
    a file whose stamp, and those of all images before it, are still the same. One process makes
    the file, while others wait.

    Args:
        folder: of the file; it is created if it is missing.
        name: of the images, the beginning of the file's name.
        stamps: uint64 (n,), one an image, of everything that decides its pixels.
        shape: (C, R, R) of an image.
    """

    def __init__(self, folder: Path, name: str, stamps: Stamps, shape: tuple[int, ...]) -> None:
        self.folder, self.name, self.stamps = folder, name, stamps
        self.shape = (len(stamps), *shape)
        digest = hashlib.sha256(f"{self.shape}".encode() + stamps.tobytes()).hexdigest()
        self.path = folder / f"{name}-{digest[:DIGITS]}.npy"
        self._part, self._record = self.path.with_suffix(PART), self.path.with_suffix(STAMPS)
        self._header = _npy_header(self.shape)
        self._row = int(np.prod(shape))

    @property
    def nbytes(self) -> int:
        """Return the size of the whole file in bytes."""
        return len(self._header) + len(self.stamps) * self._row

    def open(self, decode: Callable[[int], Iterable[Tensor]]) -> MappedImages:
        """Return the images; the file is made if it is missing or damaged.

        Args:
            decode: function that yields all images from a row on, uint8 (k, C, R, R) at a time.

        Raises:
            DataError: if the file cannot be written, or `decode` raises it. The images that were
                decoded are kept for the next attempt.
        """
        with self._wrap_write_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._is_whole():
                with self._locked():
                    if not self._is_whole():  # nor was it made while this process waited
                        self._make(decode)
            return MappedImages(self.path, len(self._header), self.shape)

    def _is_whole(self) -> bool:
        """Return whether the file exists with the right header and size."""
        try:
            with open_file(self.path) as file:
                begins = file.read(len(self._header)) == self._header
                return begins and os.fstat(file.fileno()).st_size == self.nbytes
        except FileNotFoundError:
            return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from making a file of this name; a killed one releases the lock."""
        lock = FileLock(self.folder / f"{self.name}{LOCK}")
        try:
            held = lock.acquire(timeout=0)
        except Timeout:
            print(f"waiting for another process that makes {self.path}", flush=True)
            held = lock.acquire()
        with held:
            yield

    @contextmanager
    def _wrap_write_errors(self) -> Iterator[None]:
        """Raise an error of the file system as a DataError of one line."""
        try:
            yield
        except (OSError, NotImplementedError) as error:  # the latter without locks
            reason = getattr(error, "strerror", None) or one_line(error)
            raise DataError(
                f"{self.path}: cannot be written ({reason}): what is decoded is kept; correct this"
                " and start again, or give another folder by data.cache=DIR or none by"
                " data.cache=null"
            ) from error

    def _make(self, decode: Callable[[int], Iterable[Tensor]]) -> None:
        """Write the file, from the first missing image on."""
        if self.path.exists():
            print(f"{self.path} is damaged: it is made again", flush=True)
            self.path.unlink()
        done = self._adopt_part()
        self._check_space((len(self.stamps) - done) * self._row)
        start = f", from image {done:,} on" if done else ""
        size = f"{len(self.stamps):,} images, {self.nbytes / 1e9:.2f} GB"
        print(f"decoding into {self.path}, once ({size}){start}", flush=True)
        with open(self._part, "r+b") as file:
            file.write(self._header)
            file.truncate(len(self._header) + done * self._row)
            file.seek(0, os.SEEK_END)
            for images in decode(done):
                file.write(images.contiguous().numpy().data)
                file.flush()  # its length tells how many images there are
            os.fsync(file.fileno())
        os.replace(self._part, self.path)
        self._record.unlink()

    def _adopt_part(self) -> int:
        """Take over the unfinished file with most in common; return its number of usable images.

        It may be of another digest: an image file that could not be decoded was replaced.
        """
        known = self.folder.glob(f"{self.name}-*{STAMPS}")
        done, best = max(((self._usable(path), path) for path in known), default=(0, self._record))
        self.stamps.tofile(self._record)
        if done and best != self._record:
            os.replace(best.with_suffix(PART), self._part)
            best.unlink()
        self._part.touch()
        return done

    def _usable(self, record: Path) -> int:
        """Return how many images of an unfinished file are the first ones of this file.

        Args:
            record: the stamps beside that file.
        """
        part = record.with_suffix(PART)
        if not part.exists():
            return 0
        written = max(0, part.stat().st_size - len(self._header)) // self._row
        stamps = np.fromfile(record, np.uint64)[: min(written, len(self.stamps))]
        return int(np.logical_and.accumulate(stamps == self.stamps[: len(stamps)]).sum())

    def _check_space(self, needed: int) -> None:
        """Refuse to begin what the disk cannot hold.

        Raises:
            DataError: if there is not enough space.
        """
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise DataError(
                f"{self.folder}: {free / 1e9:.2f} GB are free and {len(self.stamps):,} decoded"
                f" images need {needed / 1e9:.2f} GB: free space, give another folder by"
                " data.cache=DIR, or none by data.cache=null"
            )


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """Return the first bytes of a file in NumPy's format with uint8 values."""
    file = BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue()
