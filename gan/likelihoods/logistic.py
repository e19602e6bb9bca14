"""The discretized logistic likelihood (Kingma et al., 2016)."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gan.layers.precision import at_least_float32
from gan.likelihoods.base import LEVEL, ScaledLikelihood


class LogisticLikelihood(ScaledLikelihood):
    """The probability of each of 256 levels under a logistic distribution.

    The lowest and the highest level have the tails (Salimans et al., 2017, eq. 2), so that the
    probabilities of all levels sum to 1.

    Args:
        scale: at the start, above 0, where black is -1 and white is 1.
        learned: whether training changes it.
    """

    def log_prob(self, images: Tensor, means: Tensor) -> Tensor:
        """Return log P(x | z), (B,)."""
        difference = images - at_least_float32(means)
        upper = (difference + LEVEL / 2) / self.scale
        lower = (difference - LEVEL / 2) / self.scale
        # sigmoid(upper) - sigmoid(lower) as a product
        width = torch.log(-torch.expm1(-LEVEL / self.scale))
        inside = logsigmoid(upper) + logsigmoid(-lower) + width
        end = 1 - LEVEL / 2
        low = torch.where(images < -end, logsigmoid(upper), inside)
        return torch.where(images > end, logsigmoid(-lower), low).flatten(1).sum(1)
