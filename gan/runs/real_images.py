"""Real images, of a split of a run's data or of files."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan.backbones.dataset import has_split
from gan.errors import InputError
from gan.runs.folder import Run
from gan.runs.pictures import Pictures, find_pictures


class RealImages(ABC):
    """Images in an order.

    Attributes:
        names: of the images; of a split their indices.
        labels: (N,) of int64, or ``None``.
        found: what was done to pictures before, a phrase each.
    """

    names: list[str]
    labels: Tensor | None = None
    found: Sequence[str] = ()

    def __len__(self) -> int:
        """Return their number."""
        return len(self.names)

    @abstractmethod
    def read(self, rows: slice) -> Tensor:
        """Return images (n, C, H, W) in [-1, 1], on the CPU."""

    def batches(self, size: int) -> Iterator[Tensor]:
        """Yield all images in batches (B, C, H, W)."""
        for start in range(0, len(self), size):
            yield self.read(slice(start, start + size))


class ImagesOfSplit(RealImages):
    """Images of a split of a data set.

    Args:
        data: the data set.
        split: its name.
        indices: of the images, (N,).
    """

    def __init__(self, data: Any, split: str, indices: Tensor) -> None:
        self.data, self.split, self.indices = data, split, indices
        labels = data.split(split).labels
        self.labels = None if labels is None else labels[indices]
        self.names = [str(k) for k in indices.tolist()]

    def read(self, rows: slice) -> Tensor:
        """Return images (n, C, H, W) in [-1, 1], on the CPU."""
        images: Tensor = self.data.batch(self.split, self.indices[rows])[0]
        return images


class ImagesOfFiles(RealImages):
    """Pictures of files, without labels.

    Args:
        pictures: of a folder, a zip file, or one.
        names: of those that are read.
    """

    def __init__(self, pictures: Pictures, names: list[str]) -> None:
        self.pictures, self.names, self.found = pictures, names, pictures.found

    def read(self, rows: slice) -> Tensor:
        """Return images (n, C, H, W) in [-1, 1], on the CPU."""
        return torch.stack([self.pictures.read(k) for k in self.names[rows]]) / 127.5 - 1


def images_of_split(
    run: Run, split: str, indices: Sequence[int] | None, n: int | None, root: str | None
) -> ImagesOfSplit:
    """Return images of a split of a run's data.

    Args:
        run: whose data are read.
        split: its name.
        indices: of the images; ``None`` takes the first.
        n: images at most; ``None`` takes all.
        root: where the files are now; ``None`` is where they were.

    Raises:
        InputError: if there is no such split or index.
    """
    data = run.data(root)
    if not has_split(data, split):
        raise InputError(f"split={split}: {data.name} has none: give another, or images=FOLDER")
    count = len(data.split(split))
    chosen = range(count) if indices is None else indices
    if not all(0 <= index < count for index in chosen):
        raise InputError(
            f"indices={list(chosen)}: the {split} images of {data.name} are 0..{count - 1}"
        )
    return ImagesOfSplit(data, split, torch.tensor(list(chosen)[:n]))


def images_of_files(run: Run, path: Path, n: int | None) -> ImagesOfFiles:
    """Return pictures of files, cropped and resized as images for training.

    Args:
        run: whose data they are like.
        path: a folder, a zip file or a picture.
        n: pictures at most; ``None`` takes all.

    Raises:
        DataError: if there are none, or a file is none.
    """
    config = run.config
    found = find_pictures(config, path, config.data.resolution)
    return ImagesOfFiles(found, list(found.names)[:n])
