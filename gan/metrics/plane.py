"""Points of the plane as they are, and how well they hit the modes of a mixture."""

import math
from abc import ABC

import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.backbone import Backbone, Features
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.histogram import counts
from gan.metrics.source import PlaneSource, RealSource


class PlaneBackbone(Backbone):
    """No network: the features of a point are its two coordinates.

    Logits are -|x - c_k|^2 / (2 std^2), the log-densities of the modes k but for a constant, so
    that the class of a point is the nearest mode. Centres and std stand for the weights.
    """

    name = "plane"
    num_features = 2
    resize = "none"
    knows_labels = True

    centres: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(0, 2))
        self.register_buffer("std", torch.ones(()))

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Takes the modes over.

        Raises:
            InputError: the data are no mixture of Gaussians in the plane.
        """
        if not isinstance(source, PlaneSource):
            raise InputError(
                f"metrics=plane measures points and {source.name} holds images; use data=ring, "
                "data=grid or other metrics"
            )
        self.centres, self.std = source.centres.clone(), torch.tensor(source.std)
        self.freeze(device)

    def quantized(self, images: Tensor) -> Tensor:
        """The points in full precision."""
        return images.float()

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, 2) and logits (B, K) of images float32 (B, 2, 1, 1)."""
        points = images.flatten(1)
        offsets = (points[:, None] - self.centres) / self.std
        return points, -offsets.square().sum(2) / 2


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
