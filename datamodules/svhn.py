"""Street View House Numbers (SVHN), cropped digits."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from datamodules.errors import DataError
from datamodules.files import PublishedFile, wrap_read_errors
from datamodules.published import PublishedDataModule


class _UncheckedSVHN(datasets.SVHN):  # type: ignore[misc]
    """Torchvision's reader without its checksum test."""

    def _check_integrity(self) -> bool:
        """Return True."""
        return True


def _published_files(split: str) -> tuple[PublishedFile, ...]:
    """Return the file of a split, as listed by torchvision."""
    _, name, md5 = datasets.SVHN.split_list[split]
    return (PublishedFile(name, md5),)


class SVHN(PublishedDataModule):
    """73,257 + 26,032 cropped digits of house numbers, 32x32, colour; label 0 is digit 0.

    Each split is one file; training needs only `train_32x32.mat`.

    Source: Netzer, Wang, Coates, Bissacco, Wu and Ng 2011, Reading digits in natural images with
    unsupervised feature learning. For non-commercial use only.
    """

    name = "svhn"
    class_names = tuple("0123456789")
    files = {"train": _published_files("train"), "test": _published_files("test")}

    def prepare_data(self) -> None:
        """Download missing files; a missing test file raises an error only when it is used."""
        self.download_missing("train")
        with suppress(DataError):
            self.download_missing("test")

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        datasets.SVHN(folder, split=split, download=True)

    def read(self, split: str) -> tuple[Tensor, Tensor]:  # noqa: D102
        path = self.root / self.files[split][0].path
        with wrap_read_errors(path, "delete it to download it again, or copy it again"):
            data = _UncheckedSVHN(self.root, split=split)
        return torch.from_numpy(np.ascontiguousarray(data.data)), torch.from_numpy(data.labels)
