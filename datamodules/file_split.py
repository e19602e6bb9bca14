"""Splits whose images are files: decoded at each access, or once into memory or into a file."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from datamodules.errors import DataError
from datamodules.files import wrap_read_errors
from datamodules.image_files import Decoder
from datamodules.pixel_cache import PixelCache, Stamps
from datamodules.split import CHUNK, Split, StoredBatch, TensorSplit, fits, row_slices

DECODED_AT_ONCE = 64
SAMPLED_FILES = 256  # whose bytes are part of the identity of a large data set
CACHE = "images"  # folder of the files of decoded images


class FileSplit(Split):
    """A split that decodes its files at each access.

    Args:
        decoder: function from a name to pixels.
        names: the files, in order.
        labels: int64 (n,) on the CPU, or None.
        workers: processes that decode for `stream`; 0 decodes in this one.
    """

    def __init__(
        self, decoder: Decoder, names: list[str], labels: Tensor | None, workers: int
    ) -> None:
        self.decoder = decoder
        self.names = names
        self.labels = labels
        self.workers = workers

    def __len__(self) -> int:
        return len(self.names)

    @property
    def nbytes(self) -> int:
        """Return the size of all decoded images in bytes."""
        return len(self) * self.decoder.channels * self.decoder.resolution**2

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        return self.decoder.batch([self.names[i] for i in indices.tolist()])

    def fingerprint(self) -> str:
        """Return the SHA-256 of names, stamps (zip: CRC; folder: size, time), labels and form."""
        digest = hashlib.sha256(self.decoder.form.encode())
        for name in self.names:
            digest.update(f"{name} {self._stamp(name)}\n".encode(errors="surrogateescape"))
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def identity(self) -> str:
        """Return the SHA-256 of names, sizes, labels, shape and the bytes of up to 256 files."""
        digest = hashlib.sha256(self.decoder.shape.encode())
        source, step = self.decoder.source, max(1, -(-len(self) // SAMPLED_FILES))
        for i, name in enumerate(self.names):
            digest.update(f"{name} {source.size(name)}\n".encode(errors="surrogateescape"))
            digest.update(source.read(name) if i % step == 0 else b"")
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def stream(self, batches: Iterable[Tensor]) -> Iterator[StoredBatch]:
        """Yield the images and labels of each batch of indices, in order; workers decode ahead."""
        loader: DataLoader[object] = DataLoader(
            _SplitDataset(self),
            batch_sampler=cast(Iterable[list[int]], (batch.tolist() for batch in batches)),
            num_workers=self.workers,
            collate_fn=_identity,
            generator=torch.Generator(),
        )
        for stored in loader:
            if isinstance(stored, DataError):
                raise stored
            yield stored

    def within(self, memory_limit: int, cache: str | None = None) -> Split:
        """Return the split, decoded once if it may be.

        Args:
            memory_limit: maximum bytes of decoded images that are held in memory.
            cache: folder in which a larger split is decoded into a file; None decodes at each
                access.
        """
        if self.nbytes <= memory_limit:
            return self.in_memory()
        return self if cache is None else CachedSplit(self, Path(cache).expanduser())

    def in_memory(self) -> TensorSplit:
        """Return the split decoded into memory."""
        images, done = torch.empty(len(self), *self.decoder.pixels, dtype=torch.uint8), 0
        first = getattr(rank_zero_only, "rank", 0) == 0
        for pixels in self.decoded(0, hidden=not first):
            images[done : done + len(pixels)] = pixels
            done += len(pixels)
        return TensorSplit(images, self.labels)

    def decoded(self, first: int, hidden: bool = False) -> Iterator[Tensor]:
        """Yield the images from a row on, some at a time, with a bar of progress on a terminal."""
        left = torch.arange(first, len(self))
        batches = (left[rows] for rows in row_slices(len(left), DECODED_AT_ONCE))
        with tqdm(
            desc="decoding",
            total=len(self),
            leave=False,
            initial=first,
            unit="img",
            delay=1,
            disable=hidden or None,  # None hides it where there is no terminal
        ) as progress:
            for pixels, _ in self.stream(batches):
                yield pixels
                progress.update(len(pixels))

    def stamps(self) -> Stamps:
        """Return a digest of each file, uint64 (n,), which changes with what decides its pixels.

        Raises:
            DataError: if a file cannot be read.
        """
        digests = bytearray()
        for name in self.names:
            content = f"{self.decoder.form}\n{name}\n{self._stamp(name)}"
            encoded = content.encode(errors="surrogateescape")
            digests += hashlib.blake2b(encoded, digest_size=8).digest()
        return np.frombuffer(digests, np.uint64)

    def _stamp(self, name: str) -> str:
        """Return what changes when a file changes."""
        with wrap_read_errors(f"{self.decoder.source.path}/{name}"):
            return self.decoder.source.stamp(name)


class CachedSplit(FileSplit):
    """A split whose images are decoded once, into a file that is mapped into memory.

    Fingerprint and identity are those of the split that is decoded at each access.

    Args:
        files: the split to be decoded.
        folder: of caches.

    Raises:
        DataError: if an image cannot be decoded, or the file cannot be written.
    """

    def __init__(self, files: FileSplit, folder: Path) -> None:
        super().__init__(files.decoder, files.names, files.labels, files.workers)
        stem = re.sub(r"[^\w.]+", "_", self.decoder.source.path.stem)
        stamps = files.stamps()
        cache = PixelCache(
            folder / CACHE, f"{stem}-{self.decoder.resolution}", stamps, self.decoder.pixels
        )
        self._mapped = cache.open(lambda first: _decode_unchanged(files, stamps, first))

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        self._mapped.request(indices)
        return self._mapped.rows(indices)

    def stream(self, batches: Iterable[Tensor]) -> Iterator[StoredBatch]:
        """Yield the images and labels of each batch of indices, in order; the disk reads ahead."""
        last = torch.empty(0, dtype=torch.int64)
        for batch, following in pairwise(chain([last], batches, [last])):
            self._mapped.request(following)
            if len(batch):
                yield self._mapped.rows(batch), None if self.labels is None else self.labels[batch]

    def on_device(self, device: torch.device) -> Split:
        """Return a copy on a CUDA device with enough free memory; otherwise, the split itself."""
        if not fits(self.nbytes, device):
            return self
        held = torch.empty(len(self), *self.decoder.pixels, dtype=torch.uint8, device=device)
        for rows in row_slices(len(self), CHUNK):
            held[rows] = self.images(torch.arange(len(self))[rows]).to(device)
        return PlacedSplit(held, self)


class PlacedSplit(TensorSplit):
    """The images of a split of files on a device.

    Args:
        images: uint8 (n, C, R, R).
        files: the split, whose labels, fingerprint and identity it has.
    """

    def __init__(self, images: Tensor, files: FileSplit) -> None:
        super().__init__(images, files.labels)
        self.files = files

    def fingerprint(self) -> str:  # noqa: D102
        return self.files.fingerprint()

    def identity(self) -> str:  # noqa: D102
        return self.files.identity()


class _SplitDataset(Dataset[object]):
    """A split as a data set for DataLoader.

    A DataError is returned as a value, because DataLoader would add a traceback to its message.
    """

    def __init__(self, split: Split) -> None:
        self.split = split

    def __getitems__(self, indices: list[int]) -> StoredBatch | DataError:
        try:
            return self.split.fetch(torch.tensor(indices))
        except DataError as error:
            return error


def _identity(stored: object) -> object:
    """Return the argument."""
    return stored


def _decode_unchanged(files: FileSplit, stamps: Stamps, first: int) -> Iterator[Tensor]:
    """Yield the images from a row on.

    Raises:
        DataError: if files changed in the meantime, when all were yielded.
    """
    yield from files.decoded(first)
    changed = (files.stamps() != stamps).nonzero()[0].tolist()
    if changed:
        where = files.decoder.source.path / files.names[changed[0]]
        raise DataError(f"{where}: changed while images were decoded: start again")
