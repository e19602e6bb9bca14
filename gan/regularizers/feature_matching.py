"""Feature matching."""

import torch
from torch import Tensor

from gan import processes
from gan.regularizers.base import GeneratorOutputs, Networks, Regularizer


def mean_feature(h: Tensor) -> Tensor:
    """Return the mean (F,) of features (B, F) over all devices, in 32 bits or more."""
    return processes.mean(h.mean(0, dtype=torch.promote_types(h.dtype, torch.float32)))


class FeatureMatching(Regularizer):
    """weight * |E h(x) - E h(G(z))|^2 in G's loss (Salimans et al., 2016, section 3.1).

    h are D's last features, of which the logit is a score; the means are those of the whole batch,
    over all devices (of a part of it where ``accumulate`` cuts it). Deviation: the term stands
    beside the adversarial one, in the paper alone.

    Args:
        weight: of the squared distance, a sum over features.
        every: as in :class:`Regularizer`.
    """

    def __init__(self, weight: float = 1.0, every: int = 1) -> None:
        super().__init__(every)
        self.weight = weight

    def generator_penalty(self, out: GeneratorOutputs, networks: Networks) -> Tensor:
        """Return the term, with the features of the real images."""
        with torch.no_grad():
            real_features = networks.features(out.batch.real)
        distance = mean_feature(real_features) - mean_feature(out.fake_features)
        return self.weight * distance.square().sum()
