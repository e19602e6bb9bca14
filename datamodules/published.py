"""Published data sets: a fixed list of files with checksums, downloaded when absent."""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import ClassVar

from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.errors import DataError
from datamodules.files import PublishedFile, staged_download, wrap_read_errors
from datamodules.split import Split, TensorSplit, resize


class PublishedDataModule(ImageDataModule):
    """A data set of known files: found under `data.root`, or downloaded there.

    With `verify=true` each file must have its published md5. With `verify=false` the files are
    read as they are, a warning says so, and nothing is ever downloaded.

    Attributes:
        files: the files of each split.
        classes: of the labels, counted from 0.
    """

    files: ClassVar[Mapping[str, tuple[PublishedFile, ...]]]
    classes: ClassVar[int] = 10

    @abstractmethod
    def download(self, folder: Path, split: str) -> None:
        """Fetches at least the files of a split into a folder, laid out as under `data.root`."""

    @abstractmethod
    def read(self, split: str) -> tuple[Tensor, Tensor]:
        """The uint8 images (n, C, H, H) and int64 labels (n,) of a split whose files are there."""

    def prepare_data(self) -> None:
        """Downloads the training images where they are missing."""
        self.download_missing("train")

    def download_missing(self, split: str) -> None:
        """Downloads the files of a split unless all are there.

        Raises:
            DataError: they are missing and cannot be had.
        """
        with wrap_read_errors(self.root):
            missing = [self.root / f.path for f in self.files[split] if not self._has(f)]
        if missing and not self.verify:
            raise DataError(
                f"{missing[0]}: not found, and data.verify=false never downloads:"
                f" copy the {split} files of {self.name} there, or set data.verify=true"
            )
        if missing:
            every = set(chain.from_iterable(self.files.values()))
            with staged_download(self.name, self.root, every) as folder:
                self.download(folder, split)

    def check(self, file: PublishedFile) -> None:
        """Checks a file that is there, by its md5 where `verify` asks for it."""
        if self.verify:
            file.check(self.root)

    def load(self, split: str) -> Split:  # noqa: D102
        self.download_missing(split)
        for file in self.files[split]:
            self.check(file)
        images, labels = self.read(split)
        self._check_content(split, images, labels)
        if not self.verify:
            rank_zero_warn(
                f"data.verify=false: the published checksums of {self.root} were not checked"
            )
        return TensorSplit(resize(images, self.resolution), labels)

    def _check_content(self, split: str, images: Tensor, labels: Tensor) -> None:
        """Checks what no checksum has vouched for."""
        height, width = images.shape[2:]
        found = {
            f"{len(images)} images and {len(labels)} labels": len(images) == len(labels),
            f"images of {height}x{width} pixels": height == width,
            "labels of no class": bool(((labels >= 0) & (labels < self.classes)).all()),
        }
        for fault, fine in found.items():
            if not fine:
                raise DataError(
                    f"{self.root}: the {split} files of {self.name} hold {fault}: copy them anew"
                )

    def _has(self, file: PublishedFile) -> bool:
        return (self.root / file.path).is_file()
