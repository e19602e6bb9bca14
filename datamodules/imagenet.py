"""ImageNet."""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torchvision.models import ResNet50_Weights

from datamodules.base import ImageDataModule
from datamodules.class_count import check_class_count
from datamodules.errors import DataError
from datamodules.file_split import FileSplit
from datamodules.files import wrap_read_errors
from datamodules.image_files import Decoder, FolderSource
from datamodules.split import Split

FOLDERS = {"train": "train", "test": "val"}
ARCHIVES = {"train": "ILSVRC2012_img_train.tar", "test": "ILSVRC2012_img_val.tar"}


class ImageNet(ImageDataModule):
    """1,281,167 + 50,000 photographs of 1,000 classes: the centre square, resized.

    The layout is torchvision's: `train/n01440764/*.JPEG` and `val/n01440764/*.JPEG`, unpacked by
    the user. Classes are the folders of `train`, numbered by sorted name; fewer folders give fewer
    classes. Images above `memory_limit` are decoded once into a file in `cache`.

    Source: Russakovsky et al. 2015, ImageNet large scale visual recognition challenge. For
    non-commercial research only.

    Args:
        num_classes: number of class folders; None counts them, 0 removes the labels.
        arguments: arguments of :class:`~datamodules.base.ImageDataModule`.
    """

    name = "imagenet"

    def __init__(self, *, num_classes: int | None = None, **arguments: Any) -> None:
        super().__init__(num_classes=num_classes or 0, **arguments)
        if num_classes is None:
            self.num_classes = len(self.synsets)

    @cached_property
    def synsets(self) -> tuple[str, ...]:
        """Return the class folders of the training images, sorted.

        Raises:
            DataError: if there are none.
        """
        folder = self._folder("train")
        with wrap_read_errors(folder):
            names = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
        if not names:
            raise DataError(f"{folder}: has no class folders, such as n01440764: unpack them there")
        return names

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the English words of all 1,000 classes, or the folders of fewer."""
        words = tuple(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])
        return words if len(self.synsets) == len(words) else self.synsets

    def load(self, split: str) -> Split:  # noqa: D102
        check_class_count(self.num_classes, len(self.synsets), str(self._folder("train")))
        source = FolderSource(self._folder(split))
        names = source.names()
        labels = torch.tensor([self._label(source.path, name) for name in names])
        decoder = Decoder(source, self.channels, self.resolution)
        return FileSplit(decoder, names, labels, self.workers).within(self.memory_limit, self.cache)

    def _folder(self, split: str) -> Path:
        """Return the folder of a split.

        Raises:
            DataError: if it does not exist.
        """
        folder = self.root / FOLDERS[split]
        with wrap_read_errors(self.root):
            exists = folder.is_dir()
        if not exists:
            raise DataError(
                f"{folder}: not found: unpack {ARCHIVES[split]} there, one folder a class "
                "(n01440764), or set data.root=DIR"
            )
        return folder

    def _label(self, folder: Path, name: str) -> int:
        """Return the class of an image.

        Raises:
            DataError: if it is in no class folder.
        """
        label = self._labels.get(name.partition("/")[0])
        if label is None:
            raise DataError(
                f"{folder / name}: is in no class folder of {FOLDERS['train']}: move it to one"
            )
        return label

    @cached_property
    def _labels(self) -> dict[str, int]:
        """Return the label of each class folder."""
        return {name: label for label, name in enumerate(self.synsets)}
