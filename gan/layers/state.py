"""The state that a forward pass changes: buffers and random numbers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


@torch.no_grad()
def set_buffers(buffers: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    """Replace the content of each buffer by its value."""
    for buffer, value in zip(buffers, values, strict=True):
        buffer.copy_(value)


@contextmanager
def restoring(buffers: Sequence[Tensor], device: torch.device) -> Iterator[None]:
    """After the context, restore buffers and random states of the CPU and of a CUDA device."""
    before = [buffer.clone() for buffer in buffers]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    set_buffers(buffers, before)
