"""The total variation between the modes of fakes and those of a mixture of Gaussians."""

import math

from gan.metrics.mixture import MixtureMetric


class Misplaced(MixtureMetric):
    """Total variation distance to the mixture over modes, key "misplaced"; not from a paper.

    Compares the fractions of samples that have high quality, in each mode or in none, with those of
    the mixture itself: the fraction of samples that would have to move. 0 is the best value, plus
    sampling noise. Missing modes raise it, unlike the fraction of high-quality samples, so it can
    choose the best checkpoint.
    """

    ranking = ("misplaced",)
    higher_is_better = False

    def compute(self) -> dict[str, float]:
        """Return the distance, in [0, 1]."""
        outside = math.exp(-(self.MAX_DEVIATIONS**2) / 2)
        expected = (1 - outside) / len(self.hits)
        fractions = self.hits / self.count
        apart = (fractions - expected).abs().sum() + (1 - fractions.sum() - outside).abs()
        return {"misplaced": float(apart / 2)}
