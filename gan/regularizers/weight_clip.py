"""Weight clipping."""

import torch
from torch import nn

from gan.regularizers.base import Regularizer


class WeightClip(Regularizer):
    """Clamp every parameter of the critic to [-bound, bound] (Arjovsky et al., 2017, algorithm 1).

    It only projects; it has no term.

    Args:
        bound: largest magnitude left.
        every: discriminator updates between two projections.
    """

    clips = True

    def __init__(self, bound: float = 0.01, every: int = 1) -> None:
        super().__init__(every)
        if bound <= 0:
            raise ValueError(f"regularizers.weight_clip.bound={bound}: give a positive number")
        self.bound = bound

    @torch.no_grad()
    def project(self, discriminator: nn.Module) -> None:
        """Clamp weights and biases in place, but for frozen ones."""
        for parameter in discriminator.parameters():
            if parameter.requires_grad:
                parameter.clamp_(-self.bound, self.bound)
