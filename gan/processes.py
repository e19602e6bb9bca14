"""What the processes of one run tell each other; a single process is alone."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_reduce

T = TypeVar("T")


def _is_distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if _is_distributed() else 0


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if _is_distributed() else 1


def all_gather(value: T) -> list[T]:
    """The value of every process, by rank."""
    values = [value] * world_size()
    if _is_distributed():
        distributed.all_gather_object(values, value)
    return values


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replaces each floating-point tensor by its mean over the processes, all in one exchange."""
    if not (_is_distributed() and tensors):
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= world_size()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def mean(values: Tensor) -> Tensor:
    """The mean of a tensor over the processes, through which gradients flow to all of them."""
    if not _is_distributed():
        return values
    total: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return total / world_size()


@torch.no_grad()
def broadcast(tensors: Iterable[Tensor]) -> None:
    """Gives every process the tensors of process 0."""
    if _is_distributed():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


@contextmanager
def first_process_first() -> Iterator[None]:
    """Lets process 0 do the work, and the others after it, when its files are written."""
    if rank() > 0:
        all_gather(None)
    try:
        yield
    finally:
        if rank() == 0:
            all_gather(None)
