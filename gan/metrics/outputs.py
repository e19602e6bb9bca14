"""Images to be measured, and what they are compared with."""

from typing import NamedTuple

import torch
from torch import Tensor


class Outputs(NamedTuple):
    """A batch of images to be measured, with what some metrics compare them with.

    Attributes:
        images: (B, C, R, R) in [-1, 1].
        labels: (B,), or None.
        target: the images that they should be, (B, C, R, R), or None.
        source: the images that they were translated from, or None.
        cycle: the translations back, of the shape of ``source``, or None.
    """

    images: Tensor
    labels: Tensor | None = None
    target: Tensor | None = None
    source: Tensor | None = None
    cycle: Tensor | None = None

    def rows(self, rows: slice) -> "Outputs":
        """Return some of the images."""
        return Outputs._make(None if part is None else part[rows] for part in self)

    def to(self, device: torch.device) -> "Outputs":
        """Return the batch on a device."""
        return Outputs._make(None if part is None else part.to(device) for part in self)
