"""The training loader: batches on the training device, step by step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from datamodules.split import Split, StoredBatch, row_slices
from datamodules.stream import IndexStream

Batch = tuple[Tensor, Tensor | None]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on a device; copies to CUDA are asynchronous, from pinned memory."""
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def flip_horizontally(images: Tensor, flips: Tensor) -> Tensor:
    """Return the images (B, C, R, R), flipped horizontally where `flips` is true.

    Computed as x + flip (mirror(x) - x), modulo 256 for uint8: exact, and several times faster than
    a masked selection.
    """
    chosen = flips.to(torch.uint8)[:, None, None, None]
    return images.flip(3).sub_(images).mul_(chosen).add_(images)


def to_batch(
    split: Split, stored: StoredBatch, device: torch.device, flips: Tensor | None = None
) -> Batch:
    """Return a batch in the format of the networks.

    Args:
        split: the split of the images, which converts them to floats.
        stored: stored images (B, C, R, R) and labels, int64 (B,) or None.
        device: device of the batch.
        flips: bool (B,), the images to flip horizontally; None flips none.

    Returns:
        Images, float32 in [-1, 1], and labels.
    """
    images, labels = stored
    images = to_device(images, device)
    if flips is not None:
        images = flip_horizontally(images, to_device(flips, device))
    labels = None if labels is None else to_device(labels, device)
    return split.to_float(images), labels


def in_order(
    split: Split, batch_size: int, rank: int, world_size: int, device: torch.device
) -> Iterator[Batch]:
    """Yield the batches of a split in stored order, without flips.

    Each image occurs once over all ranks; rank r has the r-th contiguous part of the split. The
    last batch may be smaller.
    """
    indices = torch.arange(len(split)).tensor_split(world_size)[rank]
    batches = (indices[rows] for rows in row_slices(len(indices), batch_size))
    return (to_batch(split, stored, device) for stored in split.stream(batches))


@dataclass(frozen=True)
class Shard:
    """The contiguous part of each batch that belongs to one process."""

    rank: int = 0
    world_size: int = 1

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the rows of this process; the batch size must be a multiple of the world size."""
        size = len(batch) // self.world_size
        return batch[self.rank * size : (self.rank + 1) * size]


class StepLoader:
    """An iterable of training steps, each a list of `n_critic` batches.

    The content of step s depends only on (seed, s, rank). Iteration begins at step `start()`, which
    is called when it begins; the length is always `steps`, so that a resumed run keeps its clock.

    Args:
        split: the images.
        order: the stream of their indices.
        shard: the part of this process.
        device: device of the batches.
        steps: length of training in generator updates.
        n_critic: discriminator updates per step.
        flip: flip each image horizontally with probability 1/2.
        start: function that returns the first step.
    """

    def __init__(
        self,
        split: Split,
        order: IndexStream,
        *,
        shard: Shard,
        device: torch.device,
        steps: int,
        n_critic: int,
        flip: bool,
        start: Callable[[], int],
    ) -> None:
        self.split = split
        self.order = order
        self.shard = shard
        self.device = device
        self.steps = steps
        self.n_critic = n_critic
        self.flip = flip
        self.start = start

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Batch]]:
        start = self.start()
        batches = self._batches(start * self.n_critic, self.steps * self.n_critic)
        for _ in range(start, self.steps):
            yield list(islice(batches, self.n_critic))

    def _batches(self, first: int, end: int) -> Iterator[Batch]:
        """Yield the batches with numbers from `first` to `end` - 1."""
        indices = (self.shard(self.order.batch(k)) for k in range(first, end))
        for k, stored in enumerate(self.split.stream(indices), first):
            flips = self.shard(self.order.flips(k)) if self.flip else None
            yield to_batch(self.split, stored, self.device, flips)


class PairLoader:
    """The steps of two loaders as pairs of batches.

    Args:
        a: of the images of domain A.
        b: of those of domain B.
    """

    def __init__(self, a: StepLoader, b: StepLoader) -> None:
        self.a, self.b = a, b

    def __len__(self) -> int:
        return len(self.a)

    def __iter__(self) -> Iterator[list[tuple[Batch, Batch]]]:
        for sources, targets in zip(self.a, self.b, strict=True):
            yield list(zip(sources, targets, strict=True))
