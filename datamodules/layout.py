"""Splits, classes and labels of a folder or a zip file of images."""

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from datamodules.errors import DataError
from datamodules.image_files import ImageSource

HELD_OUT = 0.1  # share of the images that are held out for the test split
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_DOMAIN = re.compile(r"(train|val|test)(A|B)")  # folders of two unpaired data sets
_FILE_HEADS = ("file", "filename", "file_name", "path", "image")
_LABEL_HEADS = ("label", "class", "target")
_MOST_LABEL_BYTES = 2**28
_SALT = {"test": "", "validation": "validation/"}


@dataclass(frozen=True)
class Layout:
    """The images of a data set by split, and their labels.

    Attributes:
        splits: names of the images of "train", "test" and, if there is one, "validation".
        labels: class index of each image; empty without classes.
        class_names: in the order of their indices.
        found: what the splits and the labels were taken from, a phrase each.
    """

    splits: Mapping[str, list[str]]
    labels: Mapping[str, int] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayoutReader:
    """Find the layout of a data set.

    Images in folders named train, val (valid, validation, dev) and test are the splits; elsewhere a
    tenth of the images of each class is held out as the test split. Classes come from
    ``dataset.json`` (NVIDIA's), from ``labels.csv`` (columns file and label), or from the first
    level of folders.

    Attributes:
        source: the files.
        labelled: True if the images must have labels, False if none are wanted, None for as found.
        split_folders: False takes folders named train, val and test as classes.
        domain: "A" or "B" of a data set with folders trainA, trainB, testA and testB.
        validation: share of the training images that is cut off as a validation split.
    """

    source: ImageSource
    labelled: bool | None = None
    split_folders: bool = True
    domain: str | None = None
    validation: float = 0.0

    def read(self) -> Layout:
        """Return the layout.

        Raises:
            DataError: if it is ambiguous.
        """
        names = self.source.names()
        root = self._wrapper(names)
        tops = {_first_folder(name, root) for name in names}
        folders = self._split_folders(root, tops)
        labels, origin = self._labels(names, root, folders)
        classes = _sorted_classes(labels.values())
        splits, how = self._splits(names, root, folders, labels)
        self._check_classes(classes, {labels[name] for name in splits["train"] if classes})
        found = [how, *([f"labels from {origin}"] if classes else [])]
        numbers = {label: number for number, label in enumerate(classes)}
        indices = {name: numbers[label] for name, label in labels.items()}
        return Layout(splits, indices, classes, tuple(found))

    def _fault(self, reason: str) -> DataError:
        """Return the error for a layout that is ambiguous."""
        return DataError(f"{self.source.path}: {reason}")

    def _wrapper(self, names: list[str]) -> str:
        """Return the folders, with a slash at the end, that merely contain the data set."""
        root, files = "", self.source.files
        while True:
            tops = {_first_folder(name, root) for name in names}
            top = next(iter(tops), "")
            below = [name.removeprefix(f"{root}{top}/") for name in names]
            nested = len(tops) == 1 and top and all("/" in name for name in below)
            beside = any(f"{root}{name}" in files for name in _LABEL_FILES)
            labelled = any(f"{root}{top}/{name}" in files for name in _LABEL_FILES)
            if beside or not top or len(tops) > 1 or self._is_split(top):
                return root
            if not (nested or labelled):
                return root
            root = f"{root}{top}/"

    def _check_classes(self, classes: tuple[str, ...], trained: set[str]) -> None:
        """Refuse a class without training images.

        Raises:
            DataError: if there is one.
        """
        for label in classes:
            if label not in trained:
                raise self._fault(f"no training image is of class {label}: add some, or remove it")

    def _is_split(self, folder: str) -> bool:
        """Return whether a folder is named like a split or a domain."""
        named = folder.lower() in SPLIT_NAMES or _DOMAIN.fullmatch(folder) is not None
        return self.split_folders and named

    def _split_folders(self, root: str, tops: set[str]) -> dict[str, str]:
        """Return the folder of each split, empty if there are none.

        Raises:
            DataError: if it is not clear what the folders are.
        """
        named = sorted(top for top in tops if self._is_split(top))
        if not named:
            return {}
        others = sorted(tops - set(named))
        if others:
            beside = f"the folder {others[0]}" if others[0] else "images in no folder"
            raise self._fault(
                f"{named[0]} stands beside {beside}: move the splits into a folder of their own, "
                "or set data.split_folders=false if they are classes"
            )
        if any(_DOMAIN.fullmatch(name) for name in named):
            return self._domain_folders(root, named)
        found: dict[str, str] = {}
        for name in named:
            split = SPLIT_NAMES[name.lower()]
            if split in found:
                raise self._fault(f"{found[split]} and {name} are both the {split} split: keep one")
            found[split] = f"{root}{name}/"
        if "train" not in found:
            raise self._fault(
                f"has {' and '.join(named)} but no train: add it, or set data.split_folders=false "
                "if they are classes"
            )
        return found

    def _domain_folders(self, root: str, named: list[str]) -> dict[str, str]:
        """Return the folder of each split of one domain.

        Raises:
            DataError: if none was chosen, or it has no training images.
        """
        if self.domain is None:
            raise self._fault("holds two domains (trainA, trainB): choose data.domain=A or B")
        found = {}
        for name in named:
            match = _DOMAIN.fullmatch(name)
            if match is None:
                raise self._fault(f"{name} stands beside {named[0]}: keep one kind of split")
            if match[2] == self.domain:
                found[SPLIT_NAMES[match[1]]] = f"{root}{name}/"
        if "train" not in found:
            raise self._fault(f"has no train{self.domain}: choose another data.domain")
        return found

    def _splits(
        self, names: list[str], root: str, folders: Mapping[str, str], labels: Mapping[str, str]
    ) -> tuple[dict[str, list[str]], str]:
        """Return the images of each split, and where the splits come from."""
        splits = {
            split: [name for name in names if name.startswith(folder)]
            for split, folder in folders.items()
        }
        words = [f"{split} from {folder}" for split, folder in folders.items()]
        splits = splits or {"train": names}
        if "test" not in splits and "validation" in splits:
            splits["test"] = splits["validation"]
            words.append("no test split: validation in its place")
        elif "test" not in splits:
            splits["train"], splits["test"] = _cut(splits["train"], root, labels, HELD_OUT, "test")
            words.append("a tenth of each class held out as test split")
        if self.validation and "validation" not in splits:
            splits["train"], splits["validation"] = _cut(
                splits["train"], root, labels, self.validation, "validation"
            )
            words.append(f"{self.validation:.3g} of the training images as validation split")
        return splits, ", ".join(words)

    def _labels(
        self, names: list[str], root: str, folders: Mapping[str, str]
    ) -> tuple[dict[str, str], str]:
        """Return the class of each image, empty without classes, and where it comes from."""
        used = {n for folder in folders.values() for n in names if n.startswith(folder)}
        images = [name for name in names if name in used or not folders]
        if self.labelled is False:
            return {}, ""
        bases = [root, *folders.values()]
        files = [f"{b}{name}" for b in bases for name in _LABEL_FILES]
        given = [name for name in files if name in self.source.files]
        if given:
            return self._labels_of_files(images, given), " and ".join(given)
        return self._labels_of_folders(images, root, folders), "folders"

    def _labels_of_folders(
        self, images: list[str], root: str, folders: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the first folder of each image, below that of its split."""
        bases = {name: _base(name, folders.values(), root) for name in images}
        found = {name: _first_folder(name, base) for name, base in bases.items()}
        classes = set(found.values())
        if self.labelled is None and len(classes) < 2:
            return {}
        for name, label in found.items():
            if not label:
                raise DataError(
                    f"{self.source.path / name}: is in no class folder: move it to one, or set "
                    "data.num_classes=0"
                )
        return found

    def _labels_of_files(self, images: list[str], given: list[str]) -> dict[str, str]:
        """Return the class of each image that label files name, empty if they give none."""
        found: dict[str, str] = {}
        for name in given:
            base = name.rpartition("/")[0]
            prefix = f"{base}/" if base else ""
            content = _LABEL_FILES[name.rpartition("/")[2]](self.source, name)
            found |= {f"{prefix}{file}": label for file, label in content.items()}
        if not found:
            if self.labelled:
                raise self._fault(f"{given[0]} has no labels: set data.num_classes=0")
            return {}
        absent = sorted(found.keys() - self.source.files)
        if absent:
            raise self._fault(f"{given[0]} names {absent[0]}, which is not there: add or remove it")
        for image in images:
            if image not in found:
                raise DataError(
                    f"{self.source.path / image}: has no label in {given[0]}: add it there, or set "
                    "data.num_classes=0"
                )
        return {image: found[image] for image in images}


def _first_folder(name: str, root: str) -> str:
    """Return the first folder of an image below ``root``, "" if there is none."""
    top, slash, _ = name.removeprefix(root).partition("/")
    return top if slash else ""


def _base(name: str, folders: Iterable[str], root: str) -> str:
    """Return the folder of the split that an image is in."""
    return next((folder for folder in folders if name.startswith(folder)), root)


def _sorted_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the classes in order; whole numbers are sorted as numbers."""
    classes = set(labels)
    if all(re.fullmatch(r"\d{1,18}", label) for label in classes):
        return tuple(sorted(classes, key=lambda label: (int(label), label)))
    return tuple(sorted(classes))


def _position(name: str, salt: str) -> float:
    """Return a number in [0, 1) that depends on a name alone."""
    digest = hashlib.sha256(f"{salt}{name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _cut(
    names: list[str], root: str, labels: Mapping[str, str], share: float, split: str
) -> tuple[list[str], list[str]]:
    """Return the images that stay, and those that are cut off as a split.

    Within each class, an image is cut off if the hash of its name, read as a number in [0, 1), is
    below the share. New images move no others. At least one image of each class stays.
    """
    positions = {name: _position(name.removeprefix(root), _SALT[split]) for name in names}
    classes: dict[str, list[str]] = defaultdict(list)
    for name in names:
        classes[labels.get(name, "")].append(name)
    kept = {max(members, key=lambda name: positions[name]) for members in classes.values()}
    cut = [name for name in names if positions[name] < share and name not in kept]
    gone = set(cut)
    return [name for name in names if name not in gone], cut


def _text(source: ImageSource, name: str) -> str:
    """Return the text of a label file.

    Raises:
        DataError: if it is too large, or no text.
    """
    where = source.path / name
    if source.size(name) > _MOST_LABEL_BYTES:
        raise DataError(f"{where}: is larger than {_MOST_LABEL_BYTES:,} bytes: it is no label file")
    try:
        return source.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: is no text in UTF-8: save it as one") from error


def _read_json(source: ImageSource, name: str) -> dict[str, str]:
    """Return the labels of NVIDIA's ``dataset.json``: {"labels": [[file, label], ...] or null}."""
    where = source.path / name
    try:
        content = json.loads(_text(source, name))
        pairs = (content["labels"] if isinstance(content, dict) else None) or []
        labels = dict(pairs)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f'{where}: is no {{"labels": [[file, label], ...]}}: correct it') from error
    for file, label in labels.items():
        if not isinstance(file, str) or isinstance(label, bool) or not isinstance(label, int):
            raise DataError(f"{where}: the label of {file} is {label}: give a whole number")
    return {file.replace("\\", "/"): str(label) for file, label in labels.items()}


def _read_csv(source: ImageSource, name: str) -> dict[str, str]:
    """Return the labels of ``labels.csv`` with a head line: file,label."""
    where, labels = source.path / name, dict[str, str]()
    rows = csv.reader(_text(source, name).splitlines())
    head = [cell.strip().lower() for cell in next(rows, [])]
    columns = [next((h for h in head if h in heads), None) for heads in (_FILE_HEADS, _LABEL_HEADS)]
    if None in columns:
        raise DataError(f"{where}: its first line must be file,label: add it")
    file, label = (head.index(str(column)) for column in columns)
    for number, row in enumerate(rows, start=2):
        if row and len(row) <= max(file, label):
            raise DataError(f"{where}, line {number}: has {len(row)} columns: give file and label")
        if row:
            image = str(PurePosixPath(row[file].strip().replace("\\", "/")))
            if labels.setdefault(image, row[label].strip()) != row[label].strip():
                raise DataError(f"{where}, line {number}: {image} has two labels: keep one")
    return labels


# Label files by name.
_LABEL_FILES = {"dataset.json": _read_json, "labels.csv": _read_csv}
