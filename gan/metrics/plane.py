"""How well points of the plane hit the modes of a mixture."""

import math
from abc import ABC

import torch
from torch import Tensor

from gan.backbones.base import Backbone, Features
from gan.backbones.plane import PlaneBackbone
from gan.backbones.source import RealSource
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.histogram import counts


class PlaneHits(FeatureMetric, ABC):
    """Counts of the samples of high quality: within three standard deviations of the nearest mode.

    The threshold is that of Srivastava et al. (2017, VEEGAN). Reads fakes only.
    """

    REACH = 3.0

    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "count"):
            # hits are scalar until the first batch
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def refusal(self, backbone: Backbone, source: RealSource, labelled: bool) -> str | None:
        """It needs the modes of a mixture."""
        known = isinstance(backbone, PlaneBackbone)
        return None if known else f"{backbone.name} knows no modes of the plane"

    def update(self, features: Features, role: Role) -> None:
        """Counts the hits on each mode, from logits (B, K) of `PlaneBackbone`."""
        if role is not Role.FAKE:
            return
        nearest = features.logits.max(1)
        good = nearest.values >= -(self.REACH**2) / 2
        self.hits = self.hits + counts(nearest.indices[good], features.logits.shape[1])
        self.count = self.count + len(good)


class PlaneModes(PlaneHits):
    """Modes with a sample of high quality, and the share of such samples (Srivastava et al., 2017).

    Keys "modes" and "high_quality". The paper takes 2,500 samples. Of the mixture's own samples
    1 - exp(-9 / 2) = 98.9 % are of high quality.
    """

    ranking = ("modes", "high_quality")
    higher_is_better = True

    def compute(self) -> dict[str, float]:
        """The number of modes, in 0..K, and the share, in [0, 1]."""
        quality = self.hits.sum() / self.count
        return {"modes": float((self.hits > 0).sum()), "high_quality": float(quality)}


class Misplaced(PlaneHits):
    """Share of samples that would have to move to make the mixture, key "misplaced".

    Total variation between the shares of samples that hit each mode, or none, and those of the
    mixture itself: 0 at best, up to some sampling noise. Unlike the share of high quality it
    punishes lost modes, so that it can tell which model is best; not from the literature.
    """

    ranking = ("misplaced",)
    higher_is_better = False

    def compute(self) -> dict[str, float]:
        """The distance, in [0, 1]."""
        outside = math.exp(-(self.REACH**2) / 2)
        expected = (1 - outside) / len(self.hits)
        shares = self.hits / self.count
        apart = (shares - expected).abs().sum() + (1 - shares.sum() - outside).abs()
        return {"misplaced": float(apart / 2)}
