"""CIFAR-10."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from datamodules.files import PublishedFile, reading
from datamodules.published import PublishedDataModule


class _OneBatch(datasets.CIFAR10):  # type: ignore[misc]
    """Torchvision's reader for a single batch file, its checksum left to the caller."""

    def __init__(self, root: Path, name: str) -> None:
        self.train_list = [[name, ""]]
        super().__init__(root)

    def _check_integrity(self) -> bool:
        return True

    def _load_meta(self) -> None:
        pass


def _published(entries: list[list[str]]) -> tuple[PublishedFile, ...]:
    folder = datasets.CIFAR10.base_folder
    return tuple(PublishedFile(f"{folder}/{name}", md5) for name, md5 in entries)


class CIFAR10(PublishedDataModule):
    """50,000 + 10,000 photographs of ten kinds of object, 32x32, colour.

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """

    name = "cifar10"
    files = {
        "train": _published(datasets.CIFAR10.train_list),
        "test": _published(datasets.CIFAR10.test_list),
    }

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        datasets.CIFAR10(folder, download=True)

    def read(self, split: str) -> tuple[Tensor, Tensor]:  # noqa: D102
        images, labels = zip(*map(self._read_batch, self.files[split]), strict=True)
        return torch.cat(images), torch.cat(labels)

    def _read_batch(self, file: PublishedFile) -> tuple[Tensor, Tensor]:
        with reading(self.root / file.path, "delete it to download it again, or copy it anew"):
            batch = _OneBatch(self.root, Path(file.path).name)
        images = np.ascontiguousarray(batch.data.transpose(0, 3, 1, 2))
        return torch.from_numpy(images), torch.tensor(batch.targets)
