"""The base class of the data sets."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules.degradations.base import Degradation
from datamodules.degraded import DegradedLoader, Sources
from datamodules.errors import DataError
from datamodules.loader import Batch, PairLoader, Shard, StepLoader, in_order, to_batch
from datamodules.split import Split, cut, few_of_each_class
from datamodules.stream import IndexStream

if TYPE_CHECKING:
    from datamodules.domain import Domain

__all__ = ["Batch", "ImageDataModule"]

MAX_CHANNELS = 3
CHANGED = ("refuse", "accept")
VALIDATION = "validation"


class ImageDataModule(pl.LightningDataModule, ABC):
    """A data set of real images, float32 in [-1, 1], for training and metrics.

    A subclass defines `name`, `splits` and `load`.

    Args:
        channels: 1 (grey), 3 (colour) or 2 (points); must agree with the data.
        resolution: height and width in pixels.
        num_classes: number of classes; must agree with the data; 0 removes the labels.
        batch_size: images per discriminator update, over all devices.
        steps: length of training in generator updates.
        n_critic: discriminator updates per step, each with new images.
        seed: seed of the order and of the flips, at least 0.
        flip: flip training images horizontally with probability 1/2.
        root: folder of the files, absolute or relative to the working directory.
        verify: compare the files with their published checksums.
        workers: processes that decode image files; 0 decodes in the training process.
        memory_limit: maximum bytes of decoded images (uint8) held in memory.
        cache: folder in which image files above `memory_limit` are decoded once into a file that is
            mapped into memory; None decodes them at each access.
        changed: "refuse" or "accept" other training images when a run is resumed.
        validation: share of the training images, drawn within each class, that is cut off as the
            split "validation", from 0 to below 1.
        labelled: labelled images of each class, drawn by the seed; batches are then pairs, of
            labelled images and of all.
        task: makes the source of a restoration from each image; batches are pairs then.

    Attributes:
        name: the name of the data set, as in `data=mnist`.
        splits: the names of the splits.
        reads_files: it has files, in `root`.
        may_download: missing files of a published data set are downloaded.
        start_step: the first step of the training loader; a resumed run sets it.

    Raises:
        DataError: if an argument is out of range.
    """

    name: str
    splits: tuple[str, ...] = ("train", "test")
    may_download: bool = True
    reads_files: ClassVar[bool] = True

    def __init__(
        self,
        *,
        channels: int,
        resolution: int,
        num_classes: int,
        batch_size: int,
        steps: int = 1,
        n_critic: int = 1,
        seed: int = 0,
        flip: bool = False,
        root: str | None = None,
        verify: bool = True,
        workers: int = 2,
        memory_limit: int = 2 * 2**30,
        cache: str | None = None,
        changed: str = "refuse",
        validation: float = 0.0,
        task: Degradation | None = None,
        labelled: int | None = None,
    ) -> None:
        super().__init__()
        self.flip, self.verify, self.start_step = flip, verify, 0
        self.channels, self.resolution = _check_shape(channels, resolution)
        self.num_classes, self.labels_per_class = _check_labels(num_classes, labelled)
        self.batch_size, self.steps, self.n_critic = _check_counts(batch_size, steps, n_critic)
        self.workers, self.memory_limit, self.cache = _check_reading(workers, memory_limit, cache)
        self.root, self.seed = self._check_root(root), _check_range("seed", seed, 0)
        self.validation, self.changed = check_validation(validation), _check_changed(changed)
        self.task = _check_task(task, channels, resolution)

    @cached_property
    def _splits(self) -> dict[str, Split]:
        """Return the splits that were read."""
        return {}

    @abstractmethod
    def load(self, split: str) -> Split:
        """Return a split at the declared resolution.

        Raises:
            DataError: if the files are missing or cannot be read.
        """

    def setup(self, stage: str | None = None) -> None:
        """Read the training images, compare them with the declared properties and the batch."""
        split = self.split("train")
        self._check_batch_size(len(split))
        if self.labels_per_class is not None:
            few_of_each_class(split, self.labels_per_class, self.seed)

    def split(self, split: str) -> Split:
        """Return a split; it is read at the first call.

        Raises:
            DataError: if the split does not exist, cannot be read, or is not as declared.
        """
        known = (*self.splits, VALIDATION) if self.validation else self.splits
        if split not in known:
            raise DataError(f"{self.name} has no split {split!r}: use {' or '.join(known)}")
        if split not in self._splits:
            self._splits |= self._read(split)
        return self._splits[split]

    def _read(self, split: str) -> dict[str, Split]:
        """Return a split, together with the one that is cut off from it or that it is cut from."""
        if self.validation and split in ("train", VALIDATION):
            whole = self._check_split(self.load("train"), "train")
            kept, validation = cut(whole, self.validation)
            if not len(validation):
                raise DataError(
                    f"data.validation={self.validation}: none of {len(whole)} training images is "
                    "cut off: give a larger share"
                )
            return {"train": kept, VALIDATION: validation}
        return {split: self._check_split(self.load(split), split)}

    @property
    def found(self) -> tuple[str, ...]:
        """Return what was found out about the data, a phrase each."""
        share = f"{self.validation:.3g} of the training images as validation split"
        return (share,) if self.validation else ()

    @property
    def split_sizes(self) -> dict[str, int]:
        """Return the number of images of each split that was read so far."""
        known = dict.fromkeys((*self.splits, VALIDATION))
        return {name: len(self._splits[name]) for name in known if name in self._splits}

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256, in hexadecimal, of the images and labels at this resolution."""
        return self.split(split).fingerprint()

    def identity(self) -> str:
        """Return a SHA-256 of the training images and labels that moved files keep."""
        return self.split("train").identity()

    def _check_root(self, root: str | None) -> Path:
        """Return the folder of the files, by default that of the data set's name."""
        if root is not None and not self.reads_files:
            raise DataError(f"data.root={root}: {self.name} has no files: leave it out")
        if root == "":
            raise DataError("data.root is empty: give a folder, or leave it out")
        return Path(f"data/{self.name}" if root is None else root).expanduser()

    @property
    def domains(self) -> Mapping[str, "ImageDataModule | Sources | Domain"]:
        """Return domain "a", the sources, and domain "b", the images, if there are pairs."""
        return {} if self.task is None else {"a": Sources(self, self.task), "b": self}

    @property
    def paired(self) -> bool:
        """Return whether image k of both domains shows the same."""
        return True

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes in the order of their labels, () if they have none."""
        return ()

    def train_dataloader(self) -> Any:
        """Return the loader of training steps, each a list of `n_critic` batches of this process.

        A batch is one of images with labels, or a pair: of those of two domains, or of labelled
        images and all.

        Raises:
            DataError: see `loader`.
        """
        split, start = self.placed("train"), lambda: self.start_step
        loader = self.loader(split, start)
        if self.labels_per_class is not None:
            labelled = few_of_each_class(split, self.labels_per_class, self.seed)
            return PairLoader(self.loader(labelled, start, number=1, repeated=True), loader)
        return loader if self.task is None else DegradedLoader(loader, self.task, self.seed)

    def loader(
        self, split: Split, start: Callable[[], int], number: int = 0, repeated: bool = False
    ) -> StepLoader:
        """Return a loader of training steps.

        Args:
            split: the training images.
            start: function that returns the first step.
            number: of the sequence of indices; see `IndexStream`.
            repeated: an image may occur several times in a batch.

        Raises:
            DataError: if `batch_size` is not a multiple of the number of devices, or exceeds the
                split.
        """
        self._check_batch_size(self.batch_size if repeated else len(split))
        return StepLoader(
            split,
            IndexStream(len(split), self.batch_size, self.seed, number),
            shard=self._shard(),
            device=self.device,
            steps=self.steps,
            n_critic=self.n_critic,
            flip=self.flip,
            start=start,
        )

    def _check_batch_size(self, images: int) -> None:
        """Refuse a batch that the devices cannot share, or that is larger than the data set."""
        devices = self._shard().world_size
        if self.batch_size % devices:
            raise DataError(
                f"batch_size={self.batch_size} is not a multiple of {devices} devices:"
                f" set batch_size to a multiple of {devices}"
            )
        if self.batch_size > images:
            beside = f" beside data.validation={self.validation}" if self.validation else ""
            raise DataError(
                f"batch_size={self.batch_size} but {self.name} has {images} training images"
                f"{beside}: set batch_size={images} or less"
            )

    def reals(
        self, split: str, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Yield the batches of a split in stored order, without flips.

        Each image occurs once over all ranks; rank r has the r-th contiguous part of the split. The
        last batch may be smaller.
        """
        return in_order(self.placed(split), batch_size, rank, world_size, self.device)

    def batch(self, split: str, indices: Tensor) -> Batch:
        """Return the images of a split at int64 indices (n,), in their order, and the labels."""
        data = self.placed(split)
        return to_batch(data, data.fetch(indices), self.device)

    def placed(self, split: str) -> Split:
        """Return a split, moved to the device if it fits there."""
        self._splits[split] = self.split(split).on_device(self.device)
        return self._splits[split]

    @property
    def device(self) -> torch.device:
        """Return the device of training, or the CPU without a trainer."""
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def _shard(self) -> Shard:
        """Return the shard of this process."""
        return Shard(self.trainer.global_rank, self.trainer.world_size) if self.trainer else Shard()

    def _check_split(self, data: Split, split: str) -> Split:
        """Return the split if it has the declared properties; otherwise, raise DataError."""
        if not len(data):
            raise DataError(
                f"{self.root}: the {split} split of {self.name} has no images: add images there"
            )
        if self.num_classes == 0:
            data.labels = None
        channels, resolution = data.images(torch.tensor([0])).shape[1:3]
        classes = data.num_classes
        if split != "train":
            classes = max(classes, self.num_classes)
        actual = {"channels": channels, "resolution": resolution, "num_classes": classes}
        for name, value in actual.items():
            if getattr(self, name) != value:
                raise DataError(
                    f"data.{name}={getattr(self, name)} but the images of {self.name} have"
                    f" {value}: set data.{name}={value}"
                )
        return data


def _check_range(name: str, value: int, least: int, most: int | None = None) -> int:
    """Return ``value`` if it is in a range; otherwise, raise DataError."""
    if value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise DataError(f"{name}={value}: must be at least {least}{limit}")
    return value


def _check_shape(channels: int, resolution: int) -> tuple[int, int]:
    """Return the numbers of channels and of pixels a side, if they are in range."""
    _check_range("data.channels", channels, 1, MAX_CHANNELS)
    return channels, _check_range("data.resolution", resolution, 1)


def _check_task(task: Degradation | None, channels: int, resolution: int) -> Degradation | None:
    """Return a degradation that suits the images, or None where `task` is none."""
    if task:
        task.check(channels, resolution)
    return task or None


def _check_counts(batch_size: int, steps: int, n_critic: int) -> tuple[int, ...]:
    """Return the numbers of images, of steps and of discriminator updates a step, if in range."""
    counts = {"batch_size": batch_size, "steps": steps, "n_critic": n_critic}
    return tuple(_check_range(name, count, 1) for name, count in counts.items())


def _check_labels(classes: int | None, labelled: int | None) -> tuple[int, int | None]:
    """Return the numbers of classes and of labelled images of each, if they are in range."""
    if classes is None:
        raise DataError("data.num_classes=null: give the number of classes, 0 for no labels")
    if labelled is not None:
        _check_range("data.labelled", labelled, 1)
    return _check_range("data.num_classes", classes, 0), labelled


def _check_reading(
    workers: int, memory_limit: int, cache: str | None
) -> tuple[int, int, str | None]:
    """Return the numbers of processes and of bytes of decoded images and the folder, if usable."""
    _check_range("data.workers", workers, 0)
    if cache == "":
        raise DataError("data.cache is empty: give a folder, or null for none")
    return workers, _check_range("data.memory_limit", memory_limit, 0), cache


def check_validation(share: float) -> float:
    """Return the share of a validation split if it is in its range."""
    if not 0 <= share < 1:
        raise DataError(f"data.validation={share}: give a share from 0 to below 1, such as 0.1")
    return share


def _check_changed(changed: str) -> str:
    """Return what is to be done about changed data, if it is known."""
    if changed not in CHANGED:
        raise DataError(f"data.changed={changed}: give {' or '.join(CHANGED)}")
    return changed
