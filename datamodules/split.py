"""Splits of data sets: images by index, with labels."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.errors import DataError

StoredBatch = tuple[Tensor, Tensor | None]

CHUNK = 4096
DEVICE_SHARE = 4


def row_slices(total: int, size: int) -> Iterator[slice]:
    """Return slices of `size` rows that cover `total` rows in order; the last may be smaller."""
    return (slice(start, start + size) for start in range(0, total, size))


def fits(nbytes: int, device: torch.device) -> bool:
    """Return whether images of so many bytes are to be held on a device.

    It must be a CUDA device with 4 times their size free.
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return nbytes * DEVICE_SHARE <= free


class Split(ABC):
    """The images of one split, all of one shape, stored as uint8 in most subclasses.

    Attributes:
        labels: int64 (n,) on the CPU, or None without classes.
    """

    labels: Tensor | None

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    def num_classes(self) -> int:
        """Return the largest label + 1, or 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1

    @abstractmethod
    def images(self, indices: Tensor) -> Tensor:
        """Return the stored images (n, C, R, R) at int64 indices (n,), in their order."""

    def to_float(self, images: Tensor) -> Tensor:
        """Return stored images as float32 in [-1, 1]; 0 becomes -1 and 255 becomes 1."""
        return images.float().div_(127.5).sub_(1)

    @abstractmethod
    def fingerprint(self) -> str:
        """Return the SHA-256 of the content, 64 hexadecimal digits."""

    def identity(self) -> str:
        """Return a SHA-256 of the content that does not change when the files are moved."""
        return self.fingerprint()

    def fetch(self, indices: Tensor) -> StoredBatch:
        """Return the stored images and the labels at int64 indices (n,) on the CPU."""
        return self.images(indices), None if self.labels is None else self.labels[indices]

    def stream(self, batches: Iterable[Tensor]) -> Iterator[StoredBatch]:
        """Yield the stored images and labels of each batch of indices, in order."""
        return map(self.fetch, batches)

    def on_device(self, device: torch.device) -> "Split":
        """Return the split for training on a device, stored there if it fits."""
        return self


class TensorSplit(Split):
    """A split in memory, as one tensor.

    Args:
        images: uint8 (n, C, R, R), or what `to_float` of a subclass takes.
        labels: int64 (n,) on the CPU, or None.
    """

    def __init__(self, images: Tensor, labels: Tensor | None = None) -> None:
        self._images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self._images)

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        return self._images.index_select(0, indices.to(self._images.device))

    def fingerprint(self) -> str:  # noqa: D102
        digest = hashlib.sha256(repr(tuple(self._images.shape)).encode())
        for rows in row_slices(len(self), CHUNK):
            digest.update(self._images[rows].cpu().numpy().tobytes())
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def on_device(self, device: torch.device) -> "TensorSplit":
        """Return a copy on a CUDA device with enough free memory; otherwise, the split itself.

        The device must have 4 times the size of the images free.
        """
        if self._images.device == device or not fits(self._images.nbytes, device):
            return self
        return type(self)(self._images.to(device), self.labels)


class Subset(Split):
    """Some of the images of another split.

    Args:
        whole: the split.
        indices: int64 (n,), of its images.
    """

    def __init__(self, whole: Split, indices: Tensor) -> None:
        self.whole, self.indices = whole, indices
        self.labels = None if whole.labels is None else whole.labels[indices]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def num_classes(self) -> int:
        """Return the number of classes of the whole split, or 0 without labels."""
        return 0 if self.labels is None else self.whole.num_classes

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        return self.whole.images(self.indices[indices.cpu()])

    def to_float(self, images: Tensor) -> Tensor:  # noqa: D102
        return self.whole.to_float(images)

    def fingerprint(self) -> str:  # noqa: D102
        return self._digest(self.whole.fingerprint())

    def identity(self) -> str:  # noqa: D102
        return self._digest(self.whole.identity())

    def _digest(self, whole: str) -> str:
        """Return the SHA-256 of the whole split's digest, the indices and the labels."""
        digest = hashlib.sha256(whole.encode() + self.indices.numpy().tobytes())
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def stream(self, batches: Iterable[Tensor]) -> Iterator[StoredBatch]:  # noqa: D102
        for images, labels in self.whole.stream(self.indices[batch] for batch in batches):
            yield images, None if self.labels is None else labels

    def on_device(self, device: torch.device) -> "Split":  # noqa: D102
        moved = Subset(self.whole.on_device(device), self.indices)
        moved.labels = self.labels
        return moved


def cut(whole: Split, share: float) -> tuple[Subset, Subset]:
    """Return the images that stay and those that are cut off, drawn within each class.

    The draw depends on the number of images of each class alone.

    Args:
        whole: the split.
        share: of each class that is cut off, rounded down, in (0, 1).
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(len(whole)).long() if whole.labels is None else whole.labels
    chosen = torch.zeros(len(whole), dtype=torch.bool)
    for label in sorted(set(labels.tolist())):
        members = (labels == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        chosen[members[order[: int(share * len(members))]]] = True
    return Subset(whole, (~chosen).nonzero().flatten()), Subset(whole, chosen.nonzero().flatten())


def few_of_each_class(whole: Split, count: int, seed: int) -> Subset:
    """Return some images of each class, drawn by a seed.

    Args:
        whole: the split.
        count: of the images of a class, at least 1.
        seed: of the draw.

    Raises:
        DataError: if the images have no labels, or a class has fewer.
    """
    if whole.labels is None or count < 1:
        raise DataError(f"data.labelled={count}: give a number from 1, for data with labels")
    generator, chosen = torch.Generator().manual_seed(seed), []
    for label in range(whole.num_classes):
        members = (whole.labels == label).nonzero().flatten()
        if len(members) < count:
            raise DataError(
                f"data.labelled={count}: give at most {len(members)}, the images of class {label}"
            )
        chosen.append(members[torch.randperm(len(members), generator=generator)[:count]])
    return Subset(whole, torch.cat(chosen))


class PointSplit(TensorSplit):
    """A split in memory with float32 images in [-1, 1], for points of the plane."""

    def to_float(self, images: Tensor) -> Tensor:
        """Return the images unchanged."""
        return images


def resize(images: Tensor, resolution: int) -> Tensor:
    """Return square uint8 images (n, C, H, H) resized with antialiased bilinear interpolation."""
    if images.shape[-1] == resolution:
        return images.contiguous()
    chunks = [
        F.interpolate(
            images[rows].float(),
            size=(resolution, resolution),
            mode="bilinear",
            antialias=True,
        )
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        for rows in row_slices(len(images), CHUNK)
    ]
    return torch.cat(chunks)
