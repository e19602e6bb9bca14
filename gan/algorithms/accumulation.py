"""Parts of a batch whose gradients are added up, which leave what one batch leaves."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from gan.layers.state import restoring, set_buffers
from gan.regularizers.base import Regularizer

T = TypeVar("T")
Readings = dict[str, Tensor | float]


def from_one_state(parts: Sequence[T], state: Sequence[Tensor]) -> Iterator[T]:
    """Yield the parts; each starts from the same ``state``, which ends as the mean over parts.

    A running mean is thus moved once, by all parts, as by one batch; and an estimate that each
    forward pass refines, such as that of a spectral norm, is refined as often as by one batch.

    Args:
        parts: of a batch, of one size.
        state: floating-point buffers that the computations on a part may change.
    """
    start, mean = ([tensor.clone() for tensor in state] for _ in range(2))
    for count, part in enumerate(parts, 1):
        set_buffers(state, start)
        yield part
        for average, tensor in zip(mean, state, strict=True):
            average.lerp_(tensor, 1 / count)
    set_buffers(state, mean)


def mean_readings(readings: Sequence[Readings]) -> Readings:
    """Return the mean of each value over parts, which all have the same names."""
    if len(readings) == 1:
        return readings[0]
    return {name: sum(part[name] for part in readings) / len(readings) for name in readings[0]}


@contextmanager
def rehearsing(
    game: nn.Module, observers: Iterable[Regularizer], device: torch.device
) -> Iterator[None]:
    """Restore random states, and all buffers but those of ``observers``, after the context."""
    theirs = {id(buffer) for observer in observers for buffer in observer.buffers()}
    with restoring([buffer for buffer in game.buffers() if id(buffer) not in theirs], device):
        yield


@contextmanager
def settled(observers: Sequence[Regularizer]) -> Iterator[None]:
    """Keep the state of ``observers`` inside the context: they have seen the batch."""
    try:
        for observer in observers:
            observer.observing = False
        yield
    finally:
        for observer in observers:
            observer.observing = True
