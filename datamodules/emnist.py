"""EMNIST: handwritten digits and letters."""

from pathlib import Path
from typing import Any, Literal

from torch import Tensor
from torchvision import datasets

from datamodules.class_count import check_class_count
from datamodules.files import PublishedFile
from datamodules.mnist import MNIST

FIRST_LABELS = {"letters": 1}  # of the published files; 0 elsewhere


def _published_files(part: str, split: str) -> tuple[PublishedFile, ...]:
    """Return the files of images and labels of a split."""
    names = (f"emnist-{part}-{split}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
    return tuple(PublishedFile(f"EMNIST/raw/{name}") for name in names)


class EMNIST(MNIST):
    """Handwritten digits and letters, 28x28, grey, processed as :class:`MNIST`.

    The published images have rows and columns exchanged; here they are upright. "letters" has 26
    classes of both cases, "balanced" and "bymerge" 47, of which 15 hold both cases, "byclass" 62.
    The checksum is known of the archive only, which torchvision compares on download.

    Source: Cohen, Afshar, Tapson and van Schaik 2017, EMNIST: an extension of MNIST to handwritten
    letters, arXiv:1702.05373.

    Args:
        split: which of the six data sets of EMNIST.
        num_classes: number of classes; None takes that of `split`, 0 removes the labels.
        arguments: arguments of :class:`~datamodules.base.ImageDataModule`.
    """

    name = "emnist"
    source = datasets.EMNIST
    files = {
        f"{part}-{split}": _published_files(part, split)
        for part in datasets.EMNIST.splits
        for split in ("train", "test")
    }

    def __init__(
        self,
        *,
        split: Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] = "balanced",
        num_classes: int | None = None,
        **arguments: Any,
    ) -> None:
        self.part, self.first_label = split, FIRST_LABELS.get(split, 0)
        self.class_names = tuple(datasets.EMNIST.classes_split_dict[split][self.first_label :])
        count = len(self.class_names) if num_classes is None else num_classes
        super().__init__(num_classes=count, **arguments)
        self.files = {
            **self.files,
            **{name: self.files[f"{split}-{name}"] for name in ("train", "test")},
        }
        check_class_count(self.num_classes, len(self.class_names), f"data.split={split}")

    def download(self, folder: Path, split: str) -> None:  # noqa: D102
        self.source(folder, split=self.part, download=True)

    def read(self, split: str) -> tuple[Tensor, Tensor]:  # noqa: D102
        images, labels = super().read(split)
        return images.transpose(2, 3), labels - self.first_label
