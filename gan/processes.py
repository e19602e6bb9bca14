"""Communication between the processes of a run; all functions work in a single process."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather as all_gather_rows
from torch.distributed.nn.functional import all_reduce

T = TypeVar("T")


def _is_distributed() -> bool:
    """Return whether a process group is initialized."""
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Return the rank of this process."""
    return distributed.get_rank() if _is_distributed() else 0


def world_size() -> int:
    """Return the number of processes."""
    return distributed.get_world_size() if _is_distributed() else 1


def all_gather(value: T) -> list[T]:
    """Return the values of all processes, by rank."""
    values = [value] * world_size()
    if _is_distributed():
        distributed.all_gather_object(values, value)
    return values


@torch.no_grad()
def concatenate(tensor: Tensor) -> Tensor:
    """Return the rows of all processes, by rank; every process has as many."""
    if not _is_distributed():
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


def gather(tensor: Tensor) -> Tensor:
    """Return the rows of all processes, by rank; gradients flow to all processes.

    Every process has as many rows.
    """
    if not _is_distributed():
        return tensor
    return torch.cat(all_gather_rows(tensor))  # type: ignore[no-untyped-call]


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replace each floating-point tensor by its mean over processes, with one all-reduce."""
    if not (_is_distributed() and tensors):
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= world_size()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def mean(values: Tensor) -> Tensor:
    """Return the mean of a tensor over processes; gradients flow to all processes."""
    if not _is_distributed():
        return values
    total: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return total / world_size()


@torch.no_grad()
def broadcast(tensors: Iterable[Tensor]) -> None:
    """Replace the tensors of every process by those of process 0."""
    if _is_distributed():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


@contextmanager
def first_process_first() -> Iterator[None]:
    """Run the context in process 0 first, then in the others, who find the files that it wrote."""
    if rank() > 0:
        all_gather(None)
    try:
        yield
    finally:
        if rank() == 0:
            all_gather(None)
