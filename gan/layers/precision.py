"""Floating-point precision of losses and of terms with second derivatives."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Return ``x`` in float32, or in its own type if that is wider."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def full_precision(device: torch.device) -> torch.autocast:
    """Return the context in which autocast is off."""
    return torch.autocast(device.type, enabled=False)


@contextmanager
def twice_differentiable(device: torch.device) -> Iterator[None]:
    """Compute inside the context without autocast and without compiled functions.

    PyTorch does not differentiate a compiled function twice.
    """
    with full_precision(device), torch.compiler.set_stance("force_eager"):
        yield
