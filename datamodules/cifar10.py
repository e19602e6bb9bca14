"""CIFAR-10."""

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from datamodules.files import PublishedFile, open_file, wrap_read_errors
from datamodules.published import PublishedDataModule

PIXELS = (3, 32, 32)
# Names in pickled arrays of all versions of NumPy and of the protocol.
ARRAY = {"_reconstruct", "_frombuffer", "ndarray", "dtype"}


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler for dictionaries, lists, strings, numbers and arrays only."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a constructor of arrays.

        Raises:
            UnpicklingError: if the pickle needs another class or function.
        """
        if (module, name) == ("_codecs", "encode"):  # bytes in protocol 2
            return super().find_class(module, name)
        if module.partition(".")[0] != "numpy" or name not in ARRAY:
            raise pickle.UnpicklingError(f"it would call {module}.{name}, which is not an array")
        return super().find_class(module, name)


def batch_files(source: Any) -> dict[str, tuple[PublishedFile, ...]]:
    """Return the files of both splits, as listed by a data set of torchvision."""
    entries = {"train": source.train_list, "test": source.test_list}
    return {
        split: tuple(PublishedFile(f"{source.base_folder}/{name}", md5) for name, md5 in files)
        for split, files in entries.items()
    }


class CIFAR10(PublishedDataModule):
    """CIFAR-10: 50,000 + 10,000 photographs of ten classes, 32x32, colour.

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """

    name = "cifar10"
    source: ClassVar[Any] = datasets.CIFAR10
    label_key: ClassVar[str] = "labels"  # of the labels in a file
    class_names: tuple[str, ...] = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    files = batch_files(datasets.CIFAR10)

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        self.source(folder, download=True)

    def read(self, split: str) -> tuple[Tensor, Tensor]:  # noqa: D102
        images, labels = zip(*map(self._read_batch, self.files[split]), strict=True)
        return torch.cat(images), torch.cat(labels)

    def _read_batch(self, file: PublishedFile) -> tuple[Tensor, Tensor]:
        """Return the images and labels of one file."""
        path = self.root / file.path
        with (
            wrap_read_errors(path, "delete it to download it again, or copy it again"),
            open_file(path) as opened,
        ):
            batch = ArrayUnpickler(opened, encoding="latin1").load()
            images = torch.from_numpy(np.array(batch["data"], dtype=np.uint8))
            return images.view(-1, *PIXELS), torch.tensor(batch[self.label_key], dtype=torch.int64)
