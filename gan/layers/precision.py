"""Bits that a loss needs."""

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """Return ``x`` in 32 bits, or in as many as it has where that is more."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
