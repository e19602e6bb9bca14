"""Floating-point precision of losses and of terms with second derivatives."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Return ``x`` in float32, or in its own type if that is wider."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def full_precision(device: torch.device) -> torch.autocast:
    """Return the context in which autocast is off."""
    return torch.autocast(device.type, enabled=False)
