"""Images of a folder or a zip file."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from datamodules.base import ImageDataModule
from datamodules.errors import DataError
from datamodules.image_files import EXTENSIONS, Decoder, image_source
from datamodules.split import Split, StoredBatch, TensorSplit, row_slices

HELD_OUT = 10
DECODED_AT_ONCE = 64
SAMPLED_FILES = 256  # whose bytes are part of the identity of a large data set


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
        """Return the SHA-256 of names, stamps (zip: CRC; folder: size, time), labels and shape."""
        digest = hashlib.sha256(f"{self.decoder.channels} {self.decoder.resolution}".encode())
        for name in self.names:
            digest.update(f"{name} {self.decoder.source.stamp(name)}\n".encode())
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def identity(self) -> str:
        """Return the SHA-256 of names, sizes, labels, shape and the bytes of up to 256 files."""
        digest = hashlib.sha256(f"{self.decoder.channels} {self.decoder.resolution}".encode())
        source, step = self.decoder.source, max(1, -(-len(self) // SAMPLED_FILES))
        for i, name in enumerate(self.names):
            digest.update(f"{name} {source.size(name)}\n".encode())
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

    def within(self, memory_limit: int) -> Split:
        """Return the split, decoded into memory if that takes at most `memory_limit` bytes."""
        return self if self.nbytes > memory_limit else self.in_memory()

    def in_memory(self) -> TensorSplit:
        """Return the split decoded into memory."""
        batches = [torch.arange(len(self))[rows] for rows in row_slices(len(self), DECODED_AT_ONCE)]
        shape = (self.decoder.channels, self.decoder.resolution, self.decoder.resolution)
        images = torch.empty(len(self), *shape, dtype=torch.uint8)
        with tqdm(total=len(self), desc="decoding", unit="img", leave=False, delay=1) as bar:
            for indices, (pixels, _) in zip(batches, self.stream(batches), strict=True):
                images[indices] = pixels
                bar.update(len(indices))
        return TensorSplit(images, self.labels)


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


class Layout:
    """Splits and classes, derived from the names of the images.

    Args:
        names: relative names of all images, sorted.
    """

    def __init__(self, names: list[str]) -> None:
        folders = {top for top, slash, _ in (name.partition("/") for name in names) if slash}
        self.has_split_folders = folders >= {"train", "test"}
        self.all = names

    def names(self, split: str) -> list[str]:
        """Return the images of "train" or "test".

        They are in a folder of that name; without such folders, every tenth image is in "test".
        """
        if self.has_split_folders:
            return [name for name in self.all if name.startswith(f"{split}/")]
        held_out = self.all[HELD_OUT - 1 :: HELD_OUT]
        rest = self.all.copy()
        del rest[HELD_OUT - 1 :: HELD_OUT]
        return {"train": rest, "test": held_out}[split]

    def labels(self, names: list[str], root: Path) -> Tensor:
        """Return the indices of the images' class folders, int64 (n,), counted over both splits.

        Raises:
            DataError: if an image is in no class folder.
        """
        all_names = self.names("train") + self.names("test")
        class_indices = {
            name: i for i, name in enumerate(sorted({self._class(n, root) for n in all_names}))
        }
        return torch.tensor([class_indices[self._class(name, root)] for name in names])

    def _class(self, name: str, root: Path) -> str:
        """Return the class folder of an image."""
        folders = PurePosixPath(name).parts[self.has_split_folders : -1]
        if not folders:
            raise DataError(
                f"{root / name}: is in no class folder: move it to one, or set data.num_classes=0"
            )
        return folders[0]


def _identity(stored: object) -> object:
    """Return the argument."""
    return stored


class ImageFolder(ImageDataModule):
    """The images of a folder or zip file, resized to cover `resolution` and centre-cropped.

    The first level of folders gives the classes, numbered by sorted name. With `num_classes=0`,
    images may be at any depth and have no labels. If the first level is `train/` and `test/`, these
    are the splits and contain the classes; otherwise, every tenth image by name is in "test".

    Up to `memory_limit`, the images are decoded once into memory. Above it, `workers` processes
    decode them in the same order.
    """

    name = "image_folder"

    def load(self, split: str) -> Split:  # noqa: D102
        source = image_source(self.root)
        names = source.names()
        if not names:
            raise DataError(
                f"{self.root}: has no images ({' '.join(EXTENSIONS)}): set data.root to images"
            )
        layout = Layout(names)
        selected = layout.names(split)
        labels = layout.labels(selected, self.root) if self.num_classes else None
        decoder = Decoder(source, self.channels, self.resolution)
        return FileSplit(decoder, selected, labels, self.workers).within(self.memory_limit)
