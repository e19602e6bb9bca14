"""Published data sets: a fixed list of files with checksums, downloaded if missing."""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.errors import DataError
from datamodules.files import PublishedFile, staged_download, wrap_read_errors
from datamodules.split import Split, TensorSplit, resize


class DownloadedDataModule(ImageDataModule):
    """A data set of published files under `data.root`, downloaded if missing.

    With `verify=true`, each file must have its published MD5. With `verify=false`, the files are
    used without this check, with a warning, and nothing is downloaded.

    Attributes:
        files: the files by split; further keys hold files that a download keeps.
    """

    files: Mapping[str, tuple[PublishedFile, ...]]

    @abstractmethod
    def download(self, folder: Path, split: str) -> None:
        """Download at least the files of a split into a folder with the layout of `data.root`."""

    def prepare_data(self) -> None:
        """Download the training images if they are missing."""
        self.download_missing("train")

    def download_missing(self, split: str) -> None:
        """Download the files of a split unless all exist.

        Raises:
            DataError: if files are missing and cannot be downloaded.
        """
        with wrap_read_errors(self.root):
            missing = [self.root / f.path for f in self.files[split] if not self._has(f)]
        if missing and not self.verify:
            raise DataError(
                f"{missing[0]}: not found, and data.verify=false disables downloads:"
                f" copy the {split} files of {self.name} there, or set data.verify=true"
            )
        if missing and not self.may_download:
            raise DataError(
                f"{missing[0]}: not found: give data.root=DIR, where the {split} files of "
                f"{self.name} are now"
            )
        if missing:
            every = set(chain.from_iterable(self.files.values()))
            with staged_download(self.name, self.root, every) as folder:
                self.download(folder, split)

    def check(self, file: PublishedFile) -> None:
        """Compare the MD5 of a file with the published one if `verify` is set."""
        if self.verify:
            file.check(self.root)

    def require(self, split: str) -> None:
        """Download the files of a split if they are missing, and check them.

        Raises:
            DataError: if a file is missing or has another checksum.
        """
        self.download_missing(split)
        for file in self.files[split]:
            self.check(file)
        if not self.verify and not self._splits:  # once for all splits
            rank_zero_warn(
                f"data.verify=false: the published checksums of {self.root} were not checked"
            )

    def _has(self, file: PublishedFile) -> bool:
        """Return whether a file exists."""
        return (self.root / file.path).is_file()


class PublishedDataModule(DownloadedDataModule):
    """A data set of published files that is one tensor in memory; labels start at 0."""

    @abstractmethod
    def read(self, split: str) -> tuple[Tensor, Tensor | None]:
        """Return the uint8 images (n, C, H, H) and int64 labels (n,) of a split from its files."""

    def load(self, split: str) -> Split:  # noqa: D102
        self.require(split)
        images, labels = self.read(split)
        self._check_content(split, images, labels)
        return TensorSplit(resize(images, self.resolution), labels)

    def _check_content(self, split: str, images: Tensor, labels: Tensor | None) -> None:
        """Raise DataError if images or labels are inconsistent."""
        height, width = images.shape[2:]
        checks = {f"images of {height}x{width} pixels": height == width}
        if labels is not None:
            valid = (labels >= 0) & (labels < len(self.class_names))
            checks |= {
                f"{len(images)} images and {len(labels)} labels": len(images) == len(labels),
                "labels out of range": bool(valid.all()),
            }
        for fault, passed in checks.items():
            if not passed:
                raise DataError(
                    f"{self.root}: the {split} files of {self.name} have {fault}: copy them again"
                )
