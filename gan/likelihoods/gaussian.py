"""The Gaussian likelihood."""

import math

from torch import Tensor

from gan.layers.precision import at_least_float32
from gan.likelihoods.base import LEVEL, ScaledLikelihood


class GaussianLikelihood(ScaledLikelihood):
    """A normal density around the decoder's image; its scale is the standard deviation.

    Args:
        scale: at the start, above 0, where black is -1 and white is 1.
        learned: whether training changes it.
    """

    cell = LEVEL

    def log_prob(self, images: Tensor, means: Tensor) -> Tensor:
        """Return log p(x | z), (B,)."""
        scaled = (images - at_least_float32(means)) / self.scale
        terms = -0.5 * (scaled.square() + math.log(2 * math.pi)) - self.log_scale
        return terms.flatten(1).sum(1)
