"""From a split to what the game eats: float batches on the training device, step by step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from datamodules.split import Split, StoredBatch
from datamodules.stream import IndexStream

Batch = tuple[Tensor, Tensor | None]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; towards CUDA through pinned memory, without waiting."""
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def flip_horizontally(images: Tensor, flips: Tensor) -> Tensor:
    """The images (B, C, R, R), those where `flips` is true from right to left.

    x + flip (mirror(x) - x), modulo 256 for bytes: exact for these, and several times faster than
    a masked choice.
    """
    chosen = flips.to(torch.uint8)[:, None, None, None]
    return images.flip(3).sub_(images).mul_(chosen).add_(images)


def to_batch(
    split: Split, stored: StoredBatch, device: torch.device, flips: Tensor | None = None
) -> Batch:
    """Images as the model sees them.

    Args:
        split: where they come from, which knows how they are scaled.
        fetched: its images (B, C, R, R) as stored, and their labels, int64 (B,) or None.
        device: where the batch is wanted.
        flips: bool (B,), the images to mirror from left to right; None mirrors none.

    Returns:
        Images float32 in [-1, 1], and the labels.
    """
    images, labels = stored
    images = to_device(images, device)
    if flips is not None:
        images = flip_horizontally(images, to_device(flips, device))
    labels = None if labels is None else to_device(labels, device)
    return split.to_float(images), labels


@dataclass(frozen=True)
class Shard:
    """The contiguous share of one process in every batch."""

    rank: int = 0
    world_size: int = 1

    def __call__(self, batch: Tensor) -> Tensor:
        """The rows of this process; the batch must be divisible by the number of processes."""
        size = len(batch) // self.world_size
        return batch[self.rank * size : (self.rank + 1) * size]


class StepLoader:
    """An iterable of steps, each a list of the `n_critic` batches that the step consumes.

    What step s holds is a function of (seed, s, rank) alone. Iteration begins at `start()`, asked
    when it begins, while the length stays `steps`: the clock of a resumed run goes on.

    Args:
        split: the images.
        order: the stream of their indices.
        shard: the share of this process.
        device: where the batches are wanted.
        steps: the length of training in generator updates.
        n_critic: discriminator updates a step.
        flip: mirror every image with probability one half.
        start: the first step to deliver.
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
        indices = (self.shard(self.order.batch(k)) for k in range(first, end))
        for k, stored in enumerate(self.split.stream(indices), first):
            flips = self.shard(self.order.flips(k)) if self.flip else None
            yield to_batch(self.split, stored, self.device, flips)
