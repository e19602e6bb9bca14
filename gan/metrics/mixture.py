"""Counts of points near the modes of a mixture of Gaussians, for metrics of the plane."""

from abc import ABC

import torch
from torch import Tensor

from gan.backbones.base import Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.backbones.plane import PlaneBackbone
from gan.metrics.class_histogram import counts
from gan.metrics.feature_metric import FeatureMetric, Role


class MixtureMetric(FeatureMetric, ABC):
    """Counts of the high-quality samples of each mode, within three standard deviations.

    The threshold is that of Srivastava et al. (2017, VEEGAN). Reads fakes only.
    """

    MAX_DEVIATIONS = 3.0

    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "count"):
            # zero-dimensional before the first batch
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Require the modes of a mixture."""
        plane = isinstance(backbone, PlaneBackbone)
        return None if plane else f"{backbone.name} has no modes of the plane"

    def update(self, features: Features, role: Role) -> None:
        """Count the high-quality samples of each mode, from logits (B, K) of `PlaneBackbone`."""
        if role is not Role.FAKE:
            return
        nearest = features.logits.max(1)
        good = nearest.values >= -(self.MAX_DEVIATIONS**2) / 2
        self.hits = self.hits + counts(nearest.indices[good], features.logits.shape[1])
        self.count = self.count + len(good)
