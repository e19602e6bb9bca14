"""The Laplace likelihood."""

import math

from torch import Tensor

from gan.layers.precision import at_least_float32
from gan.likelihoods.base import LEVEL, ScaledLikelihood


class LaplaceLikelihood(ScaledLikelihood):
    """A Laplace density around the decoder's image: reconstruction by absolute differences.

    Args:
        scale: at the start, above 0, where black is -1 and white is 1.
        learned: whether training changes it.
    """

    cell = LEVEL

    def log_prob(self, images: Tensor, means: Tensor) -> Tensor:
        """Return log p(x | z), (B,)."""
        scaled = (images - at_least_float32(means)) / self.scale
        terms = -scaled.abs() - math.log(2) - self.log_scale
        return terms.flatten(1).sum(1)
