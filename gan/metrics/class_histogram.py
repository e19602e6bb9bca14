"""Counts of the classes of real and generated images, for metrics of modes."""

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.backbones.base import Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.metrics.feature_metric import FeatureMetric, Role


def counts(classes: Tensor, num_classes: int) -> Tensor:
    """Return the count of each class in int64 (B,), int64 (K,)."""
    return torch.nn.functional.one_hot(classes, num_classes).sum(0)


class ClassHistogram(FeatureMetric, ABC):
    """Counts of the classes of fakes and of real images; the class is the argmax of the logits.

    Holds only int64 counts (K,); one cache file of the real images serves all such metrics.
    """

    real_states: ClassVar[Mapping[Role, tuple[str, ...]]] = {Role.REAL: ("counts",)}

    fake_counts: Tensor
    real_counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        for role in (Role.FAKE, Role.REAL):
            # zero-dimensional before the first batch
            zero = torch.zeros((), dtype=torch.int64)
            self.add_state(f"{role.value}_counts", zero, dist_reduce_fx="sum")

    @property
    def cache_key(self) -> str:
        """Return the name of the counts in the cache."""
        return "class histogram"

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Require class scores."""
        return None if backbone.has_logits else f"{backbone.name} has no class scores"

    def update(self, features: Features, role: Role) -> None:
        """Count the classes of logits (B, K) of real or of generated images."""
        if role is Role.UNSEEN:
            return
        key = f"{role.value}_counts"
        batch = counts(features.logits.argmax(1), features.logits.shape[1])
        setattr(self, key, getattr(self, key) + batch)
