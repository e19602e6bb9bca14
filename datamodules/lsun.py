"""LSUN: scenes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from datamodules.base import ImageDataModule
from datamodules.errors import DataError, extra
from datamodules.file_split import FileSplit
from datamodules.files import wrap_read_errors
from datamodules.image_files import Decoder, FolderSource, ImageSource
from datamodules.split import Split

CATEGORIES = (
    *("bedroom", "bridge", "church_outdoor", "classroom", "conference_room"),
    *("dining_room", "kitchen", "living_room", "restaurant", "tower"),
)
SUFFIXES = {"train": "train", "test": "val"}
META_BYTES = 2 * 4096  # of the two first pages of a database
REMEDY = "unpack it again"


@lru_cache(maxsize=2 * len(CATEGORIES))
def _database(path: Path) -> Any:
    """Return an open LMDB database; without locks, forked processes may share it.

    Raises:
        DataError: if it is incomplete, or the package lmdb is missing.
    """
    try:
        import lmdb
    except ImportError as error:
        folder = path.with_name(path.name.removesuffix("_lmdb"))
        raise DataError(
            f"{path}: needs the package lmdb: {extra('lsun')}; or export the images to {folder}"
        ) from error
    with wrap_read_errors(path, REMEDY):
        size = (path / "data.mdb").stat().st_size
        complete = size >= META_BYTES
        if complete:
            database = lmdb.open(str(path), readonly=True, lock=False, readahead=False)
            complete = size >= (database.info()["last_pgno"] + 1) * database.stat()["psize"]
        if not complete:  # reading beyond the end would kill the process
            raise DataError(f"{path}: data.mdb is incomplete: {REMEDY}")
    return database


class DatabaseSource(ImageSource):
    """The values of an LMDB database, named by their keys, which LSUN made of the content."""

    def _all_files(self) -> list[str]:
        """Return the keys, sorted."""
        with wrap_read_errors(self.path, REMEDY), _database(self.path).begin() as transaction:
            keys = transaction.cursor().iternext(keys=True, values=False)
            return [key.decode("ascii") for key in keys]

    def names(self) -> list[str]:  # noqa: D102
        return self._all_files()

    def size(self, name: str) -> int:  # noqa: D102
        with _database(self.path).begin(buffers=True) as transaction:
            return len(transaction.get(name.encode()))

    def read(self, name: str) -> bytes:  # noqa: D102
        with _database(self.path).begin() as transaction:
            return bytes(transaction.get(name.encode()))

    def stamp(self, name: str) -> str:  # noqa: D102
        return str(self.size(name))


class CategorySource(ImageSource):
    """The images of several categories; a name begins with its category and a slash.

    Args:
        path: the folder of all categories.
        sources: the images of each category.
    """

    def __init__(self, path: Path, sources: Mapping[str, ImageSource]) -> None:
        super().__init__(path)
        self.sources = sources

    def _all_files(self) -> list[str]:
        """Return the names of the images, category by category."""
        return [
            f"{category}/{name}"
            for category, source in self.sources.items()
            for name in source.names()
        ]

    def names(self) -> list[str]:  # noqa: D102
        return self._all_files()

    def size(self, name: str) -> int:  # noqa: D102
        category, _, own = name.partition("/")
        return self.sources[category].size(own)

    def read(self, name: str) -> bytes:  # noqa: D102
        category, _, own = name.partition("/")
        return self.sources[category].read(own)

    def stamp(self, name: str) -> str:  # noqa: D102
        category, _, own = name.partition("/")
        return self.sources[category].stamp(own)


class LSUN(ImageDataModule):
    """LSUN: photographs of scenes, colour: the centre square, resized.

    Each category is a database `bedroom_train_lmdb`, as published, which needs the package lmdb, or
    a folder `bedroom_train` of its exported images. "test" is the validation part, of 300 images a
    category. Images above `memory_limit` are decoded once into a file in `cache`.

    Source: Yu, Seff, Zhang, Song, Funkhouser and Xiao 2015, LSUN: construction of a large-scale
    image dataset using deep learning with humans in the loop, arXiv:1506.03365.

    Args:
        categories: names of the categories, which are the classes in this order.
        num_classes: the number of categories, or 0 for no labels; None takes 0 for one category.
        arguments: arguments of :class:`~datamodules.base.ImageDataModule`.

    Raises:
        DataError: if a category is unknown or given twice.
    """

    name = "lsun"

    def __init__(
        self,
        *,
        categories: Sequence[str] = ("bedroom",),
        num_classes: int | None = None,
        **arguments: Any,
    ) -> None:
        self.categories = tuple(categories)
        unknown = [category for category in self.categories if category not in CATEGORIES]
        if unknown or not self.categories or len(set(self.categories)) < len(self.categories):
            given = ",".join(self.categories)
            raise DataError(
                f"data.categories=[{given}]: give different ones of {', '.join(CATEGORIES)}"
            )
        counted = len(self.categories) if len(self.categories) > 1 else 0
        super().__init__(num_classes=counted if num_classes is None else num_classes, **arguments)

    @property
    def class_names(self) -> tuple[str, ...]:  # noqa: D102
        return self.categories

    def load(self, split: str) -> Split:  # noqa: D102
        sources = {c: _source(self.root / f"{c}_{SUFFIXES[split]}") for c in self.categories}
        source = CategorySource(self.root, sources)
        names = source.names()
        numbers = {category: number for number, category in enumerate(self.categories)}
        labels = torch.tensor([numbers[name.partition("/")[0]] for name in names])
        decoder = Decoder(source, self.channels, self.resolution)
        return FileSplit(decoder, names, labels, self.workers).within(self.memory_limit, self.cache)


def _source(folder: Path) -> ImageSource:
    """Return the images of a category, from its database or its folder.

    Raises:
        DataError: if neither exists.
    """
    database = folder.with_name(f"{folder.name}_lmdb")
    with wrap_read_errors(folder):
        if database.is_dir():
            return DatabaseSource(database)
        if folder.is_dir():
            return FolderSource(folder)
    raise DataError(
        f"{database}: not found: unpack {database.name}.zip of LSUN there, export its images to"
        f" {folder}, or set data.root=DIR"
    )
