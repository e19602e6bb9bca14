"""The number of modes that fakes cover."""

from gan.metrics.class_histogram import ClassHistogram


class Modes(ClassHistogram):
    """Number of classes with at least one fake, key "modes", and their fraction, "mode_coverage".

    Counts only classes with at least one real image. Both values grow with the number of fakes:
    published counts of 1,000 classes are for 26,000 (Srivastava et al., 2017, VEEGAN; Lin et al.,
    2018, PacGAN) or 25,600 fakes (Metz et al., 2017).
    """

    ranking = ("modes", "mode_coverage")
    higher_is_better = True

    def compute(self) -> dict[str, float]:
        """Return the number, in 0..K, and the fraction, in [0, 1]."""
        real = self.real_counts > 0
        modes = (real & (self.fake_counts > 0)).sum()
        return {"modes": float(modes), "mode_coverage": float(modes / real.sum())}
