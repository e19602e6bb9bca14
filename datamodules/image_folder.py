"""Images of a folder or a zip file."""

from collections import Counter
from collections.abc import Collection
from functools import cached_property
from typing import Any

import torch
from PIL import ImageColor

from datamodules.base import ImageDataModule, check_validation
from datamodules.errors import DataError
from datamodules.file_split import SAMPLED_FILES, FileSplit
from datamodules.image_files import CROPS, EXTENSIONS, Decoder, ImageSource, image_source
from datamodules.layout import Layout, LayoutReader
from datamodules.split import Split

DOMAINS = ("A", "B")


class ImageFolder(ImageDataModule):
    """The images of a folder or zip file; see :class:`~datamodules.layout.LayoutReader`.

    Up to `memory_limit`, the images are decoded into memory at the start. Above it, `workers`
    processes decode them once into a file in `cache`, or at each access without it. The order of
    training is the same.

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
        files = FileSplit(self._decoder, selected, labels, self.workers)
        return files.within(self.memory_limit, self.cache)


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
