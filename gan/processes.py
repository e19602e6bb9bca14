"""What the processes of one run tell each other; a single process is alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import distributed

T = TypeVar("T")


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if _several() else 0


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if _several() else 1


def gathered(value: T) -> list[T]:
    """The value of every process, by rank."""
    values = [value] * world_size()
    if _several():
        distributed.all_gather_object(values, value)
    return values


@contextmanager
def first_process_first() -> Iterator[None]:
    """Lets process 0 do the work, and the others after it, when its files are written."""
    if rank() > 0:
        gathered(None)
    try:
        yield
    finally:
        if rank() == 0:
            gathered(None)
