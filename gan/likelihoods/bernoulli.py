"""The Bernoulli likelihood."""

from torch import Tensor

from gan.layers.precision import at_least_float32
from gan.likelihoods.base import Likelihood

_LEAST = 1e-6  # probability of either value


class BernoulliLikelihood(Likelihood):
    """Black or white pixels, white with the probability that the decoder's gray value stands for.

    As in Kingma and Welling (2014) for MNIST. Gray images count as the mean over the black and
    white ones of these probabilities, so the value is a log-likelihood for binary images alone.
    """

    def log_prob(self, images: Tensor, means: Tensor) -> Tensor:
        """Return log P(x | z), (B,)."""
        white = (images + 1) / 2
        p = 0.5 + (0.5 - _LEAST) * at_least_float32(means)
        return (white * p.log() + (1 - white) * (-p).log1p()).flatten(1).sum(1)
