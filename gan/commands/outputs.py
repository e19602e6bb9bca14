"""Where samples are written: a grid, a folder of pictures, or arrays."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan.commands.paths import new_folder_path, picture_path
from gan.errors import InputError
from gan.files import new_folder, replacement

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from gan.algorithms.class_names import ClassNames
    from gan.algorithms.samples import Samples

_DIGITS = 6  # of the number of an image, at least
_UNSAFE = '/\\:*?"<>|'  # in the name of a folder, on any system
_HIDDEN = (".", "__MACOSX")  # start of names that readers of image folders skip
_LONGEST = 200  # bytes of the name of a folder


@dataclass(frozen=True)
class Output(ABC):
    """A file or a folder of samples.

    Attributes:
        path: of it.
    """

    path: Path

    @abstractmethod
    def write(self, samples: "Samples") -> None:
        """Write all samples, or nothing.

        Raises:
            InputError: if they are of a kind that it cannot hold.
        """


@dataclass(frozen=True)
class Grid(Output):
    """A PNG file with all samples in a grid.

    Attributes:
        columns: of the grid.
    """

    columns: int

    def write(self, samples: "Samples") -> None:
        """Write the grid, or a scatter plot of points."""
        import torch

        from gan.pictures import picture, save_grid

        images = torch.cat([images for _, images in samples.batches()])
        save_grid(picture(images, self.columns), self.path)


@dataclass(frozen=True)
class Arrays(Output):
    """An ``.npz`` file, as the evaluator of Dhariwal and Nichol, 2021, reads it.

    ``arr_0`` holds the images, uint8 (n, H, W, C), ``arr_1`` their labels, int64 (n,), if any.
    """

    def write(self, samples: "Samples") -> None:
        """Write the arrays; they are held in memory as bytes."""
        import numpy as np

        _refuse_points(samples)
        channels, height, width = samples.shape
        arrays = [np.empty((samples.n, height, width, channels), np.uint8)]
        for numbers, pixels in _pixels(samples):
            arrays[0][numbers.start : numbers.stop] = pixels
        if samples.labels is not None:
            arrays.append(samples.labels.numpy())
        with replacement(self.path) as part, part.open("wb") as file:
            np.savez(file, *arrays)


@dataclass(frozen=True)
class Folder(Output):
    """A folder with a PNG file for each sample, named by its number.

    Samples of a conditional model lie in a folder for each class, and ``labels.csv`` has the file
    and the number of the class of each.
    """

    def write(self, samples: "Samples") -> None:
        """Write the pictures; gray ones stay gray."""
        from PIL import Image

        _refuse_points(samples)
        files = self._files(samples)
        with new_folder(self.path) as part:
            for numbers, pixels in _pixels(samples):
                for k, image in zip(numbers, pixels, strict=True):
                    place = part / files[k]
                    place.parent.mkdir(exist_ok=True)
                    Image.fromarray(image.squeeze(-1) if samples.shape[0] == 1 else image).save(
                        place
                    )
            if samples.labels is not None:
                _write_labels(part / "labels.csv", files, samples.labels.tolist())

    def _files(self, samples: "Samples") -> list[str]:
        """Return the file of each sample, such as "cat/000003.png"."""
        width = max(_DIGITS, len(str(samples.n - 1)))
        files = [f"{k:0{width}}.png" for k in range(samples.n)]
        if samples.labels is None:
            return files
        folders = folder_names(samples.game.class_names, samples.game.generator.num_classes)
        labels = samples.labels.tolist()
        return [f"{folders[label]}/{file}" for label, file in zip(labels, files, strict=True)]


OUTPUTS: dict[str, type[Arrays] | type[Folder]] = {".npz": Arrays, "": Folder}


def find_output(run: str, out: str | None, columns: int) -> Output:
    """Return where samples are written.

    Args:
        run: the run folder.
        out: name of a file, whose ending tells its kind, or of a folder, which may end in a slash.
            By default, ``samples.png`` in the run folder.
        columns: of a grid.

    Raises:
        InputError: on another ending, or if ``out`` is there already; a picture is replaced.
    """
    path = Path(out or "")
    ending = "" if out and (out.endswith("/") or path.is_dir()) else path.suffix
    if not out or ending == ".png":
        return Grid(picture_path(run, out, "samples.png"), columns)
    if ending not in OUTPUTS:
        raise InputError(
            f"out={out}: give a picture, NAME.png, arrays, NAME.npz, or a folder, NAME/"
        )
    return OUTPUTS[ending](new_folder_path(out))


def folder_names(names: "ClassNames", classes: int) -> list[str]:
    """Return the name of the folder of each class: its name where it is known, else its number.

    Characters that are not safe become "_". Where two names then are the same, all names start
    with the number of the class. Numbers have equal lengths, so that they sort.
    """
    numbers = [f"{k:0{len(str(classes - 1))}}" for k in range(classes)]
    if not names.names:
        return numbers
    safe = [_safe(name) for name in names.names]
    if len({name.casefold() for name in safe}) == classes:
        return safe
    return [f"{number}_{name}" for number, name in zip(numbers, safe, strict=True)]


def _safe(name: str) -> str:
    """Return a name that is a visible folder within another on any system."""
    kept = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in name.strip())
    seen = f"_{kept}" if kept.startswith(_HIDDEN) else kept
    return seen.encode()[:_LONGEST].decode(errors="ignore")


def _refuse_points(samples: "Samples") -> None:
    """Refuse samples that are no pictures.

    Raises:
        InputError: if they are points.
    """
    if samples.shape == (2, 1, 1):
        raise InputError("run: it draws points: give out=NAME.png for a plot of them")


def _pixels(samples: "Samples") -> "Iterator[tuple[range, NDArray[uint8]]]":
    """Yield the numbers of some samples, and their pixels (B, H, W, C)."""
    from gan.backbones.pixels import to_uint8

    for numbers, images in samples.batches():
        yield numbers, to_uint8(images).permute(0, 2, 3, 1).numpy()


def _write_labels(path: Path, files: list[str], labels: list[int]) -> None:
    """Write the label of each file as CSV."""
    with path.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([("file", "label"), *zip(files, labels, strict=True)])
