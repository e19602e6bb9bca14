"""CelebA: faces."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import download_file_from_google_drive

from datamodules.errors import DataError
from datamodules.file_split import FileSplit
from datamodules.files import PublishedFile, open_file, wrap_read_errors
from datamodules.image_files import Decoder, ImageSource, image_source
from datamodules.published import DownloadedDataModule
from datamodules.split import Split

REMEDY = "delete it to download it again, or copy it again"
PARTS = {"train": "0", "test": "2"}  # in the file of partitions; 1 is the validation part


def _published_file(name: str) -> PublishedFile:
    """Return a file, as listed by torchvision."""
    md5 = {listed: md5 for _, md5, listed in datasets.CelebA.file_list}
    return PublishedFile(f"{datasets.CelebA.base_folder}/{name}", md5[name])


class CelebA(DownloadedDataModule):
    """162,770 + 19,962 aligned faces, 178x218, colour: the centre square, resized.

    Needed below `celeba/` are `img_align_celeba.zip`, or the folder that it unpacks to, and
    `list_eval_partition.txt`; for labels also `list_attr_celeba.txt`. Downloads need the package
    gdown. Images above `memory_limit` are decoded once into a file in `cache`.

    Source: Liu, Luo, Wang and Tang 2015, Deep learning face attributes in the wild. For
    non-commercial use only.

    Args:
        label: one of the 40 attributes, such as Smiling, whose absence is class 0; None for none.
        num_classes: 2 with `label` and 0 without; None takes that.
        arguments: arguments of :class:`~datamodules.base.ImageDataModule`.

    Raises:
        DataError: if `num_classes` does not fit `label`.
    """

    name = "celeba"

    PARTITION = _published_file("list_eval_partition.txt")
    ATTRIBUTES = _published_file("list_attr_celeba.txt")
    ARCHIVE = _published_file("img_align_celeba.zip")

    def __init__(
        self, *, label: str | None = None, num_classes: int | None = None, **arguments: Any
    ) -> None:
        fitting = 0 if label is None else 2
        super().__init__(num_classes=fitting if num_classes is None else num_classes, **arguments)
        if self.num_classes != fitting:
            given = "null" if label is None else label
            raise DataError(
                f"data.num_classes={self.num_classes} but data.label={given}: set"
                f" data.num_classes={fitting}, or another data.label"
            )
        self.label = label
        folder = (self.root / self.ARCHIVE.path).with_suffix("")
        with wrap_read_errors(self.root):
            unpacked = folder.is_dir()
        self.images = folder if unpacked else self.root / self.ARCHIVE.path
        attributes, archive = (self.ATTRIBUTES,) * (label is not None), (self.ARCHIVE,)
        needed = (self.PARTITION, *attributes, *(() if unpacked else archive))
        self.files = dict.fromkeys(PARTS, needed)

    @property
    def class_names(self) -> tuple[str, ...]:  # noqa: D102
        return () if self.label is None else (f"not {self.label}", self.label)

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        wanted = {Path(file.path).name for file in self.files[split] if not self._has(file)}
        for key, md5, name in datasets.CelebA.file_list:
            if name in wanted:
                target = folder / datasets.CelebA.base_folder
                download_file_from_google_drive(key, str(target), name, md5)

    def load(self, split: str) -> Split:  # noqa: D102
        self.require(split)
        chosen = self._names(split)
        source = image_source(self.images)
        decoder = Decoder(source, self.channels, self.resolution)
        files = FileSplit(decoder, _paths(source, chosen), self._labels(chosen), self.workers)
        return files.within(self.memory_limit, self.cache)

    def _rows(self, file: PublishedFile) -> Iterator[list[str]]:
        """Yield the words of each line of a text file."""
        with open_file(self.root / file.path) as opened:
            yield from (line.decode("ascii").split() for line in opened)

    def _names(self, split: str) -> list[str]:
        """Return the names of the images of a split."""
        with wrap_read_errors(self.root / self.PARTITION.path, REMEDY):
            return [name for name, part in self._rows(self.PARTITION) if part == PARTS[split]]

    def _labels(self, names: list[str]) -> Tensor | None:
        """Return whether each image has the attribute, int64 (n,), or None without attribute."""
        if self.label is None:
            return None
        rows, where = self._rows(self.ATTRIBUTES), self.root / self.ATTRIBUTES.path
        with wrap_read_errors(where, REMEDY):
            _, known = next(rows), next(rows)
            if self.label not in known:
                raise DataError(f"data.label={self.label}: {where} has {', '.join(known)}")
            column = 1 + known.index(self.label)
            values = {row[0]: row[column] == "1" for row in rows}
            return torch.tensor([values[name] for name in names], dtype=torch.int64)


def _paths(source: ImageSource, names: list[str]) -> list[str]:
    """Return where images are in their source, in whichever folder.

    Raises:
        DataError: if one is missing.
    """
    paths = {PurePosixPath(path).name: path for path in source.names()}
    for name in names:
        if name not in paths:
            raise DataError(f"{source.path / name}: not found: copy the images there again")
    return [paths[name] for name in names]
