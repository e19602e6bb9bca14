"""MNIST."""

import math
import struct
from pathlib import Path
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor
from torchvision import datasets

from datamodules.errors import DataError
from datamodules.files import PublishedFile, open_file, wrap_read_errors
from datamodules.published import PublishedDataModule

NATIVE = 28
PADDING = 2


def idx_files(folder: str, *md5: str | None) -> dict[str, tuple[PublishedFile, ...]]:
    """Return the files of images and labels of both splits, in idx format with MNIST's names."""
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    files = [
        PublishedFile(f"{folder}/raw/{name}-ubyte", digest)
        for name, digest in zip(names, md5, strict=True)
    ]
    return {"train": tuple(files[:2]), "test": tuple(files[2:])}


class MNIST(PublishedDataModule):
    """60,000 + 10,000 handwritten digits, 28x28, grey.

    The images are padded with background to 32x32, then resized to other resolutions;
    `resolution=28` keeps them unchanged.

    Source: LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document
    recognition.
    """

    name = "mnist"
    source: ClassVar[Any] = datasets.MNIST
    class_names: tuple[str, ...] = tuple("0123456789")
    files = idx_files(
        "MNIST",
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    )

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        self.source(folder, download=True)

    def check(self, file: PublishedFile) -> None:
        """Compare the length with the file's header, then the MD5 with the published one."""
        path = self.root / file.path
        with wrap_read_errors(path), open_file(path) as opened:
            (magic,) = struct.unpack(">i", opened.read(4))
            sizes = struct.unpack(f">{magic % 256}i", opened.read(4 * (magic % 256)))
            size = opened.seek(0, 2)
        expected = 4 + 4 * len(sizes) + math.prod(sizes)
        if size != expected:
            raise DataError(
                f"{path}: has {size:,} bytes, but its header declares {expected:,}:"
                " delete it to download it again, or copy it again"
            )
        super().check(file)

    def read(self, split: str) -> tuple[Tensor, Tensor]:  # noqa: D102
        images_path, labels_path = (self.root / file.path for file in self.files[split])
        with wrap_read_errors(images_path):
            images = datasets.mnist.read_image_file(str(images_path))[:, None]
        with wrap_read_errors(labels_path):
            labels = datasets.mnist.read_label_file(str(labels_path))
        if self.resolution != NATIVE:
            images = F.pad(images, [PADDING] * 4)
        return images, labels
