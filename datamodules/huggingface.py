"""Image data sets of the Hugging Face hub."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.class_count import check_class_count
from datamodules.errors import DataError, extra
from datamodules.file_split import FileSplit
from datamodules.files import one_line, open_file
from datamodules.image_files import Decoder, ImageSource
from datamodules.split import Split

OLDEST = 4  # major version of the library; older ones can run code of a data set
SAVED = ("dataset_dict.json", "state.json")  # files of DatasetDict and Dataset.save_to_disk


def _library() -> Any:
    """Return the package datasets.

    Raises:
        DataError: if it is missing or too old.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"data=huggingface needs datasets: {extra('huggingface')}") from error
    if int(datasets.__version__.split(".")[0]) < OLDEST:
        raise DataError(
            f"data=huggingface needs datasets {OLDEST} or later and finds {datasets.__version__}:"
            f" {extra('huggingface')}"
        )
    return datasets


@contextmanager
def _offline(library: Any, offline: bool) -> Iterator[None]:
    """Let the library use its cache alone inside the context."""
    before = library.config.HF_HUB_OFFLINE
    library.config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        library.config.HF_HUB_OFFLINE = before


class TableSource(ImageSource):
    """The encoded images of a column, named by their row.

    Args:
        path: of the data set, for messages.
        table: a table of the library with one column.
        column: its name; a row is {"bytes": content or None, "path": file or None}.
    """

    def __init__(self, path: Path, table: Any, column: str) -> None:
        super().__init__(path)
        self.table, self.column = table, column

    def _all_files(self) -> list[str]:
        """Return the numbers of the rows."""
        return [str(row) for row in range(len(self.table))]

    def names(self) -> list[str]:  # noqa: D102
        return self._all_files()

    def read(self, name: str) -> bytes:  # noqa: D102
        entry = self.table[int(name)][self.column]
        if entry is None:
            raise DataError(f"{self.path / name}: has no image in {self.column}: remove the row")
        if entry["bytes"] is not None:
            return bytes(entry["bytes"])
        with open_file(Path(entry["path"])) as file:
            return file.read()

    def size(self, name: str) -> int:  # noqa: D102
        return len(self.read(name))

    def stamp(self, name: str) -> str:  # noqa: D102
        return str(zlib.crc32(self.read(name)))


class HuggingFace(ImageDataModule):
    """A data set of the Hugging Face hub or of a local folder: the centre square, resized.

    A local folder was written by `save_to_disk` of the library, or holds images as its imagefolder
    does. Without network, a data set of the hub is read from the library's cache. No code of a data
    set is run. Images above `memory_limit` are decoded once into a file in `cache`.

    Args:
        name: of a data set on the hub, such as USER/NAME; not needed with `root`.
        subset: configuration of a data set on the hub, where it has several.
        image: column of the images; None takes the only one.
        label: column of the labels, class labels or whole numbers from 0; None takes the only one
            of class labels.
        train_split: split of the data set that is "train".
        test_split: split of the data set that is "test".
        num_classes: number of classes; None takes it from the data, 0 removes the labels.
        root: a local folder, which is used in place of the hub.
        arguments: arguments of :class:`~datamodules.base.ImageDataModule`.

    Raises:
        DataError: if neither `name` nor `root` is given.
    """

    name = "huggingface"

    def __init__(
        self,
        *,
        name: str | None = None,
        subset: str | None = None,
        image: str | None = None,
        label: str | None = None,
        train_split: str = "train",
        test_split: str = "test",
        num_classes: int | None = None,
        root: str | None = None,
        **arguments: Any,
    ) -> None:
        if name is None and root is None:
            raise DataError(
                "data=huggingface: give data.name=USER/NAME of the hub or data.root=DIR"
            )
        super().__init__(num_classes=num_classes or 0, root=root or name, **arguments)
        self.local = root is not None
        self.name = "huggingface" if name is None else f"huggingface/{name}"
        self.repository, self.subset, self.image, self.label = name, subset, image, label
        self.names_of_splits = {"train": train_split, "test": test_split}
        if num_classes is None:
            self.num_classes = self._count_classes()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes, () for labels that are numbers."""
        column = self._label_column()
        return () if column is None else tuple(getattr(self._features[column], "names", ()))

    def prepare_data(self) -> None:
        """Download the data set if it is missing."""
        self._table("train")

    def load(self, split: str) -> Split:  # noqa: D102
        if self.num_classes == 0 and self.label is not None:
            raise DataError(
                f"data.label={self.label} but data.num_classes=0: set"
                f" data.num_classes={self._count_classes()}, or data.label=null"
            )
        table, column = self._table(split), self._image_column()
        labels = self._labels(split) if self.num_classes else None
        encoded = self._library.Image(decode=False)
        images = table.select_columns([column]).cast_column(column, encoded)
        decoder = Decoder(TableSource(self.root, images, column), self.channels, self.resolution)
        names = decoder.source.names()
        return FileSplit(decoder, names, labels, self.workers).within(self.memory_limit, self.cache)

    @cached_property
    def _library(self) -> Any:
        """Return the package datasets."""
        return _library()

    @cached_property
    def _tables(self) -> Mapping[str, Any]:
        """Return the tables of the data set by the names of its splits.

        Raises:
            DataError: if it cannot be read.
        """
        library = self._library
        remedy = "give data.root=DIR, a folder of Dataset.save_to_disk or of images"
        try:
            with _offline(library, not self.may_download):
                found = self._read_local(library) if self.local else self._read_hub(library)
        except Exception as error:  # the library raises errors of any class
            raise DataError(f"{self.root}: cannot be read ({one_line(error)}): {remedy}") from error
        return found if isinstance(found, dict) else {"train": found}

    def _read_local(self, library: Any) -> Any:
        """Return the tables of a local folder."""
        if not self.root.is_dir():
            raise NotADirectoryError("there is no such folder")
        if any((self.root / name).is_file() for name in SAVED):
            return library.load_from_disk(str(self.root))
        return library.load_dataset("imagefolder", data_dir=str(self.root.absolute()))

    def _read_hub(self, library: Any) -> Any:
        """Return the tables of a data set of the hub, from the cache if it is there."""
        return library.load_dataset(self.repository, self.subset)

    def _table(self, split: str) -> Any:
        """Return the table of a split.

        Raises:
            DataError: if the data set has no such split.
        """
        name = self.names_of_splits[split]
        if name not in self._tables:
            raise DataError(
                f"{self.root}: has no split {name!r}: set data.{split}_split="
                f"{' or '.join(self._tables)}"
            )
        return self._tables[name]

    @property
    def _features(self) -> Mapping[str, Any]:
        """Return the type of each column."""
        features: Mapping[str, Any] = self._table("train").features
        return features

    def _columns(self, kind: type) -> list[str]:
        """Return the columns of a type."""
        return [name for name, feature in self._features.items() if isinstance(feature, kind)]

    def _image_column(self) -> str:
        """Return the column of the images.

        Raises:
            DataError: if it is not clear which it is.
        """
        known = self._columns(self._library.Image)
        if not known:
            raise DataError(
                f"{self.root}: has no column of images, only {', '.join(self._features)}:"
                " choose another data set"
            )
        choice = " or ".join(known)
        if self.image is None and len(known) > 1:
            raise DataError(f"{self.root}: has several columns of images: set data.image={choice}")
        if self.image is not None and self.image not in known:
            raise DataError(
                f"data.image={self.image}: no column of images: set data.image={choice}"
            )
        return self.image or known[0]

    def _label_column(self) -> str | None:
        """Return the column of the labels, None if there is none.

        Raises:
            DataError: if it is not clear which it is.
        """
        known = self._columns(self._library.ClassLabel)
        choice = " or ".join(known) or "null"
        if self.label is None and len(known) > 1:
            raise DataError(f"{self.root}: has several columns of labels: set data.label={choice}")
        if self.label is None:
            return known[0] if known else None
        kind = str(getattr(self._features.get(self.label), "dtype", "absent"))
        if self.label not in known and not kind.startswith(("int", "uint")):
            raise DataError(
                f"data.label={self.label}: no column of class labels or whole numbers ({kind}): set"
                f" data.label={choice}"
            )
        return self.label

    def _count_classes(self) -> int:
        """Return the number of classes: that of the names, or the largest label + 1."""
        labels = self._labels("train")
        return 0 if labels is None else len(self.class_names) or int(labels.max()) + 1

    def _labels(self, split: str) -> Tensor | None:
        """Return the labels of a split, int64 (n,), or None without a column of labels.

        Raises:
            DataError: if an image has no label.
        """
        column = self._label_column()
        if column is None:
            return None
        values = self._table(split).select_columns([column])[:][column]
        if any(value is None or value < 0 for value in values):
            raise DataError(
                f"{self.root}: images of {self.names_of_splits[split]} have no label in {column}:"
                f" set data.num_classes=0, or another data.{split}_split"
            )
        if names := self.class_names:
            check_class_count(self.num_classes, len(names), f"{self.root}/{column}")
        return torch.tensor(values, dtype=torch.int64)
