"""STL-10."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from datamodules.class_count import check_class_count
from datamodules.files import PublishedFile, open_file, wrap_read_errors
from datamodules.published import PublishedDataModule

PIXELS = (3, 96, 96)
CLASSES = {"labelled": 10, "unlabelled": 0}


def _published_files(*names: str) -> tuple[PublishedFile, ...]:
    """Return files, as listed by torchvision."""
    md5 = dict([*datasets.STL10.train_list, *datasets.STL10.test_list])
    return tuple(PublishedFile(f"{datasets.STL10.base_folder}/{name}", md5[name]) for name in names)


class STL10(PublishedDataModule):
    """STL-10: photographs of ten classes, 96x96, colour, resized to `resolution`.

    "test" has 8,000 labelled images.

    Source: Coates, Lee and Ng 2011, An analysis of single-layer networks in unsupervised feature
    learning.

    Args:
        split: the training images: the 5,000 "labelled" or the 100,000 "unlabelled" ones.
        num_classes: number of classes; None takes that of `split`, 0 removes the labels.
        arguments: arguments of :class:`~datamodules.base.ImageDataModule`.
    """

    name = "stl10"
    class_names = (
        *("airplane", "bird", "car", "cat", "deer"),
        *("dog", "horse", "monkey", "ship", "truck"),
    )
    files = {
        "labelled": _published_files("train_X.bin", "train_y.bin"),
        "unlabelled": _published_files("unlabeled_X.bin"),
        "test": _published_files("test_X.bin", "test_y.bin"),
    }

    def __init__(
        self,
        *,
        split: Literal["labelled", "unlabelled"] = "labelled",
        num_classes: int | None = None,
        **arguments: Any,
    ) -> None:
        count = CLASSES[split] if num_classes is None else num_classes
        super().__init__(num_classes=count, **arguments)
        self.files = {**self.files, "train": self.files[split]}
        check_class_count(self.num_classes, CLASSES[split], f"data.split={split}")

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        datasets.STL10(folder, split="test", download=True)

    def read(self, split: str) -> tuple[Tensor, Tensor | None]:  # noqa: D102
        images, *labels = self.files[split]
        pixels = self._bytes(images, *PIXELS).transpose(2, 3)
        return pixels, self._bytes(labels[0]).long() - 1 if labels else None

    def _bytes(self, file: PublishedFile, *shape: int) -> Tensor:
        """Return the bytes (n, *shape) of a file, which is mapped into memory."""
        path = self.root / file.path
        with wrap_read_errors(path, "delete it to download it again, or copy it again"):
            with open_file(path) as opened:
                content = np.memmap(opened, np.uint8, mode="c")
            return torch.from_numpy(content).view(-1, *shape)
