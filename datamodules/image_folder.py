"""Images of a folder or a zip file."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Any, cast

import torch
from PIL import ImageColor
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from datamodules.base import ImageDataModule, check_validation
from datamodules.errors import DataError
from datamodules.image_files import CROPS, EXTENSIONS, Decoder, ImageSource, image_source
from datamodules.layout import Layout, LayoutReader
from datamodules.split import Split, StoredBatch, TensorSplit, row_slices

DOMAINS = ("A", "B")
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
        digest = hashlib.sha256(self.decoder.shape.encode())
        for name in self.names:
            digest.update(f"{name} {self.decoder.source.stamp(name)}\n".encode())
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def identity(self) -> str:
        """Return the SHA-256 of names, sizes, labels, shape and the bytes of up to 256 files."""
        digest = hashlib.sha256(self.decoder.shape.encode())
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
        first = getattr(rank_zero_only, "rank", 0) == 0
        hidden = None if first else True  # None hides it where there is no terminal
        with tqdm(None, "decoding", len(self), False, unit="img", delay=1, disable=hidden) as bar:
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


def _identity(stored: object) -> object:
    """Return the argument."""
    return stored


class ImageFolder(ImageDataModule):
    """The images of a folder or zip file; see :class:`~datamodules.layout.LayoutReader`.

    Up to `memory_limit`, the images are decoded once into memory. Above it, `workers` processes
    decode them in the same order.

    Args:
        num_classes: number of classes; None takes it from the files, 0 takes images without labels.
        split_folders: False takes folders named train, val and test as classes.
        domain: "A" or "B" of a data set with folders trainA, trainB, testA and testB.
        crop: how images become square: "centre", "pad" or "stretch".
        background: colour on which images with transparency are put, such as "white" or "#808080".
        validation: share of the training images that is cut off as the split "validation", unless
            there is one.
        facts: see :class:`~datamodules.base.ImageDataModule`.
    """

    name = "image_folder"

    def __init__(
        self,
        *,
        num_classes: int | None = None,
        split_folders: bool = True,
        domain: str | None = None,
        crop: str = "centre",
        background: str = "white",
        validation: float = 0.0,
        **facts: Any,
    ) -> None:
        super().__init__(num_classes=num_classes or 0, **facts)
        if facts.get("root") is None:
            raise DataError(
                "data.root is not set: give a folder or a zip file of images, or choose data sets "
                "by name"
            )
        self.crop = _check_choice("data.crop", crop, CROPS)
        self.domain = domain and _check_choice("data.domain", domain, DOMAINS)
        self.background, self.share = _check_colour(background), check_validation(validation)
        self.labelled, self.split_folders = _labelled(num_classes), split_folders
        if num_classes is None:
            self.num_classes = len(self.layout.class_names)

    @cached_property
    def source(self) -> ImageSource:
        """Return the files."""
        return image_source(self.root)

    @cached_property
    def layout(self) -> Layout:
        """Return the splits and the classes.

        Raises:
            DataError: if there are no images, or their layout is ambiguous.
        """
        if not self.source.names():
            raise DataError(
                f"{self.root}: has no images ({' '.join(EXTENSIONS)}): set data.root to images"
            )
        reader = LayoutReader(
            self.source, self.labelled, self.split_folders, self.domain, self.share
        )
        return reader.read()

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the splits."""
        return tuple(self.layout.splits)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes in the order of their labels."""
        return self.layout.class_names

    @property
    def found(self) -> tuple[str, ...]:
        """Return where splits and labels come from, and what is done to the pixels."""
        names = self.layout.splits["train"]
        sample = names[:: max(1, -(-len(names) // SAMPLED_FILES))]
        counts = Counter(phrase for name in sample for phrase in self._decoder.properties(name))
        pixels = [f"{count} of {len(sample)} files {what}" for what, count in counts.items()]
        return (*self.layout.found, *pixels)

    @property
    def _decoder(self) -> Decoder:
        """Return the decoder."""
        return Decoder(self.source, self.channels, self.resolution, self.crop, self.background)

    def load(self, split: str) -> Split:  # noqa: D102
        selected = self.layout.splits[split]
        known = self.layout.labels
        labels = torch.tensor([known[name] for name in selected]) if known else None
        return FileSplit(self._decoder, selected, labels, self.workers).within(self.memory_limit)


def _labelled(num_classes: int | None) -> bool | None:
    """Return whether labels are wanted; None takes them if there are any."""
    return None if num_classes is None else num_classes > 0


def _check_choice(name: str, value: str, choices: Collection[str]) -> str:
    """Return a value if it is one of the choices; otherwise, raise DataError."""
    if value not in choices:
        raise DataError(f"{name}={value}: give {' or '.join(choices)}")
    return value


def _check_colour(name: str) -> str:
    """Return the name of a colour if Pillow knows it; otherwise, raise DataError."""
    try:
        ImageColor.getrgb(name)
    except ValueError as error:
        raise DataError(
            f"data.background={name}: give a colour, such as white or '#808080'"
        ) from error
    return name
