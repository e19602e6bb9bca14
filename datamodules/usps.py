"""USPS: digits of envelopes."""

from pathlib import Path

import torch
from torch import Tensor
from torchvision import datasets

from datamodules.files import PublishedFile, open_file, wrap_read_errors
from datamodules.published import PublishedDataModule


def _published_files(split: str) -> tuple[PublishedFile, ...]:
    """Return the file of a split, as listed by torchvision."""
    _, name, md5 = datasets.USPS.split_list[split]
    return (PublishedFile(name, md5),)


class USPS(PublishedDataModule):
    """7,291 + 2,007 handwritten digits of envelopes, 16x16, grey.

    Values in [-1, 1] become 0..255, rounded down.

    Source: Hull 1994, A database for handwritten text recognition research; files of LIBSVM.
    """

    name = "usps"
    class_names = tuple("0123456789")
    files = {"train": _published_files("train"), "test": _published_files("test")}

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        for train in (True, False):
            datasets.USPS(folder, train=train, download=True)

    def read(self, split: str) -> tuple[Tensor, Tensor]:  # noqa: D102
        path = self.root / self.files[split][0].path
        with wrap_read_errors(path, "delete it to download it again, or copy it again"):
            open_file(path).close()  # refuses a pipe
            data = datasets.USPS(self.root, train=split == "train")
        return torch.from_numpy(data.data)[:, None], torch.tensor(data.targets, dtype=torch.int64)
