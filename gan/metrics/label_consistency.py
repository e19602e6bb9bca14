"""The accuracy of generated images as images of the classes that they were conditioned on."""

import torch
from torch import Tensor

from gan.backbones.base import NO_LABEL, Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.feature_metric import FeatureMetric, Role


class LabelConsistency(FeatureMetric):
    """Fraction of fakes of the class that they were conditioned on, key "label_consistency".

    The class is the argmax of the logits, which must be those of the labels of the data. For real
    images in the place of fakes it is the accuracy of the classifier, the bound in practice.
    """

    ranking = ("label_consistency",)
    higher_is_better = True

    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Require a classifier of the labels of the data, and labelled fakes."""
        if not backbone.predicts_labels:
            return f"{backbone.name} does not predict the labels of {dataset.name}"
        if not labelled:
            return "the generated images have no labels, as of an unconditional model"
        return None

    def update(self, features: Features, role: Role) -> None:
        """Compare logits (B, K) of generated images with their labels (B,).

        Raises:
            InputError: an image has no label.
        """
        if role is not Role.FAKE:
            return
        if (features.labels == NO_LABEL).any():
            raise InputError(
                "label_consistency: generated images have no labels, the model is "
                "unconditional: set conditioning=projection, or leave label_consistency out"
            )
        self.hits = self.hits + (features.logits.argmax(1) == features.labels).sum()
        self.count = self.count + len(features.labels)

    def compute(self) -> dict[str, float]:
        """Return the fraction, in [0, 1]."""
        return {"label_consistency": float(self.hits / self.count)}
