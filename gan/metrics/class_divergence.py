"""The Kullback-Leibler divergence between the classes of fakes and of real images."""

import torch
from torch import Tensor

from gan.metrics.class_histogram import ClassHistogram


def divergence(fakes: Tensor, reals: Tensor) -> Tensor:
    """Return KL(fakes || reals) of two histograms in nats, float64, 0 or more, always finite.

    One image is added to each class of the real images, so that an empty class has a probability
    above 0. A uniform histogram stays uniform.

    Args:
        fakes: counts, int64 (K,), at least one image.
        reals: counts, int64 (K,).
    """
    q = fakes.double() / fakes.sum()
    p = (reals.double() + 1) / (reals.sum() + len(reals))
    value: Tensor = (torch.special.xlogy(q, q) - q * p.log()).sum()
    return value.clamp(min=0)


class ClassDivergence(ClassHistogram):
    """KL(fakes || reals) between the distributions of classes in nats, key "class_kl".

    The direction of Srivastava et al. (2017, VEEGAN) and Lin et al. (2018, PacGAN), who compare
    with the uniform distribution: m of K equally probable classes, each equally often, have
    log(K / m). Deviation: real images are counted with the same classifier, plus one in each class
    (see `divergence`), so that unequal classes and errors of the classifier do not raise the value.
    N fakes of the distribution of the real images have about (K - 1) / (2 N), not 0.
    """

    ranking = ("class_kl",)
    higher_is_better = False

    def compute(self) -> dict[str, float]:
        """Return the divergence, 0 or more."""
        return {"class_kl": float(divergence(self.fake_counts, self.real_counts))}
