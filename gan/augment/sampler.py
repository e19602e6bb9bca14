"""Chance: which images of a batch get a transformation, and how much of it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ParameterSampler:
    """What is drawn for a batch; an image gets it with probability p, and 0 otherwise.

    Everything comes from the global random state of the device on which ``p`` lies.

    Attributes:
        count: images of the batch, B.
        p: probability, without dimensions; above 1 is always.
    """

    count: int
    p: Tensor

    def _uniform(self, *shape: int) -> Tensor:
        """Return numbers uniform in [0, 1), (*shape, B)."""
        return torch.rand(*shape, self.count, device=self.p.device, dtype=torch.float32)

    def mask(self) -> Tensor:
        """Return for which images, (B,) of bool."""
        return self._uniform() < self.p

    def uniform(self, most: float, *shape: int) -> Tensor:
        """Return numbers (*shape, B) uniform in [-most, most), all of an image or none."""
        return (2 * self._uniform(*shape) - 1) * most * self.mask()

    def normal(self, std: float, *shape: int) -> Tensor:
        """Return numbers (*shape, B) of the normal distribution, all of an image or none."""
        drawn = torch.randn(*shape, self.count, device=self.p.device, dtype=torch.float32)
        return drawn * std * self.mask()

    def integers(self, below: int) -> Tensor:
        """Return whole numbers (B,) from 0, each of ``below`` equally likely."""
        return (below * self._uniform()).floor() * self.mask()

    def for_two_draws(self) -> "ParameterSampler":
        """Return dice of which two throws are such that one or both land with probability p."""
        return ParameterSampler(self.count, 1 - (1 - self.p).clamp(min=0).sqrt())
