"""The share of translations that keep the class of their source."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gan.backbones.base import NO_LABEL, Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.metrics.feature_metric import FeatureMetric, Role


class ClassKept(FeatureMetric):
    """Share of outputs that the classifier of the target domain names as their source's class.

    Key "class_kept" is the share under the best one-to-one map of the source's classes to those of
    the target, as in the accuracy of a clustering; for the same classes in both domains that map is
    the identity as soon as most outputs keep their class. Key "class_same" is the share under the
    identity. For restored images both say how many can still be recognised.
    """

    ranking = ("class_kept", "class_same")
    higher_is_better = True

    pairs: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("pairs", [], dist_reduce_fx="cat")

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Require a classifier of the labels of the data, and sources with labels."""
        if not backbone.predicts_labels:
            return f"{backbone.name} does not predict the labels of {dataset.name}"
        if not labelled:
            return "the sources have no labels"
        return None

    def update(self, features: Features, role: Role) -> None:
        """Add the class of each source, and that of its output."""
        if role is Role.FAKE and not (features.labels == NO_LABEL).any():
            named = features.logits.argmax(1)
            self.pairs.append(torch.stack([features.labels, named], dim=1))

    def compute(self) -> dict[str, float]:
        """Return both shares, in [0, 1]."""
        pairs = torch.cat([*self.pairs]).cpu().numpy()
        counts = np.zeros((pairs.max() + 1,) * 2, dtype=np.int64)
        np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
        best = linear_sum_assignment(counts, maximize=True)
        return {
            "class_kept": float(counts[best].sum() / len(pairs)),
            "class_same": float(np.trace(counts) / len(pairs)),
        }
