"""Modes and high-quality samples of a mixture of Gaussians."""

from gan.metrics.mixture import MixtureMetric


class PlaneModes(MixtureMetric):
    """Number of modes with a high-quality sample, and fraction of high-quality samples.

    Keys "modes" and "high_quality" (Srivastava et al., 2017, for 2,500 samples). Samples of the
    mixture itself have high quality in 1 - exp(-9 / 2) = 98.9 % of cases.
    """

    ranking = ("modes", "high_quality")
    higher_is_better = True

    def compute(self) -> dict[str, float]:
        """Return the number of modes, in 0..K, and the fraction, in [0, 1]."""
        quality = self.hits.sum() / self.count
        return {"modes": float((self.hits > 0).sum()), "high_quality": float(quality)}
