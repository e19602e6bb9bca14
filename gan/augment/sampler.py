"""Random parameters of augmentations."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ParameterSampler:
    """Sample parameters of a transformation for each image of a batch.

    With probability p, an image gets random parameters; otherwise its parameters are 0. All numbers
    come from the global random state of the device of ``p``.

    Attributes:
        count: B, images of the batch.
        p: probability, a scalar tensor; a value above 1 acts as 1.
    """

    count: int
    p: Tensor

    def _uniform(self, *shape: int) -> Tensor:
        """Return uniform numbers in [0, 1), (*shape, B)."""
        return torch.rand(*shape, self.count, device=self.p.device, dtype=torch.float32)

    def mask(self) -> Tensor:
        """Return a random mask of the images, (B,) of bool, each true with probability p."""
        return self._uniform() < self.p

    def uniform(self, limit: float, *shape: int) -> Tensor:
        """Return numbers (*shape, B) uniform in [-limit, limit), or all 0 for an image."""
        return (2 * self._uniform(*shape) - 1) * limit * self.mask()

    def normal(self, std: float, *shape: int) -> Tensor:
        """Return numbers (*shape, B) from N(0, std^2), or all 0 for an image."""
        samples = torch.randn(*shape, self.count, device=self.p.device, dtype=torch.float32)
        return samples * std * self.mask()

    def integers(self, high: int) -> Tensor:
        """Return integers (B,), uniform in [0, high) or 0, as floating-point numbers."""
        return (high * self._uniform()).floor() * self.mask()

    def for_two_draws(self) -> "ParameterSampler":
        """Return a sampler for a transformation drawn twice.

        With it, at least one of the two draws transforms an image with probability p.
        """
        return ParameterSampler(self.count, 1 - (1 - self.p).clamp(min=0).sqrt())
