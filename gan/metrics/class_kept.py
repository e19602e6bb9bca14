"""The share of translations that keep the class of their source."""

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from gan.backbones.base import NO_LABEL, Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.metrics.code_accuracy import assignment_accuracy
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
        classes, named = dim_zero_cat(self.pairs).cpu().unbind(1)
        count = int(torch.maximum(classes, named).max()) + 1
        return {
            "class_kept": assignment_accuracy(named, classes, count),
            "class_same": float((named == classes).double().mean()),
        }
