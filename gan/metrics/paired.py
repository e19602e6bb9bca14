"""Metrics that compare each image with the one that it should be."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from gan.backbones.base import Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.backbones.pixels import to_uint8
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.outputs import Outputs

_LEVELS = 255.0
_MOST = 100.0  # dB of images that are equal
_WINDOW = 11  # pixels of SSIM's window


class PairMetric(FeatureMetric):
    """The mean over images of a comparison with another image.

    A subclass defines `ranking`, of one name, `needs` and `values`.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    total_value: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total_value", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, features: Features, role: Role) -> None:
        """Do nothing: images are compared in `compare`."""

    def compare(self, outputs: Outputs, features: Features, backbone: Backbone) -> None:
        """Add the values of a batch."""
        if all(getattr(outputs, name) is not None for name in self.needs):
            values = self.values(outputs, features, backbone)
            self.total_value = self.total_value + values.double().sum()
            self.count = self.count + len(values)

    @abstractmethod
    def values(self, outputs: Outputs, features: Features, backbone: Backbone) -> Tensor:
        """Return the value of each image, (B,)."""

    def compute(self) -> dict[str, float]:
        """Return the mean."""
        return {self.ranking[0]: float(self.total_value / self.count)}


def _levels(images: Tensor | None) -> Tensor:
    """Return images rounded to 8 bits as numbers from 0 to 255."""
    assert images is not None
    return to_uint8(images).float()


class SignalNoiseRatio(PairMetric):
    """Peak signal-to-noise ratio of 8-bit images in dB, key "psnr"; of equal images 100.

    The mean over images of 10 log10(255^2 / mean squared difference).
    """

    ranking = ("psnr",)
    higher_is_better = True

    def values(self, outputs: Outputs, features: Features, backbone: Backbone) -> Tensor:
        """Return the ratio of each image, (B,)."""
        pair = _levels(outputs.images), _levels(outputs.target)
        ratio = peak_signal_noise_ratio(*pair, data_range=_LEVELS, dim=(1, 2, 3), reduction="none")
        return ratio.clamp(max=_MOST)


class StructuralSimilarity(PairMetric):
    """Structural similarity of 8-bit images (Wang et al., 2004), key "ssim", at most 1.

    Gaussian window of 11 pixels and deviation 1.5, K1 = 0.01, K2 = 0.03, the mean over channels.
    """

    ranking = ("ssim",)
    higher_is_better = True

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Require images as large as the window."""
        if dataset.resolution < _WINDOW:
            return f"its window has {_WINDOW} pixels and the images {dataset.resolution}"
        return None

    def values(self, outputs: Outputs, features: Features, backbone: Backbone) -> Tensor:
        """Return the similarity of each image, (B,)."""
        pair = _levels(outputs.images), _levels(outputs.target)
        similarity = structural_similarity_index_measure(
            *pair, data_range=_LEVELS, reduction="none"
        )
        assert isinstance(similarity, Tensor)
        return similarity.view(-1)


class PerceptualDistance(PairMetric):
    """Squared distance of the pooled features at unit length, key "perceptual", in [0, 4].

    Zhang et al., 2018, eq. 1 with one layer, the backbone's, and no learnt weights: the values are
    not those of LPIPS.
    """

    ranking = ("perceptual",)
    higher_is_better = False

    def values(self, outputs: Outputs, features: Features, backbone: Backbone) -> Tensor:
        """Return the distance of each image, (B,)."""
        assert outputs.target is not None
        target = backbone(outputs.target).pool
        difference = normalize(features.pool.double()) - normalize(target.double())
        return difference.square().sum(1)


class CycleError(PairMetric):
    """Mean absolute difference of sources and what is translated forth and back, key "cycle_error".

    Of images in [-1, 1], not rounded; in [0, 2].
    """

    ranking = ("cycle_error",)
    needs = frozenset({"cycle"})
    higher_is_better = False

    def values(self, outputs: Outputs, features: Features, backbone: Backbone) -> Tensor:
        """Return the difference of each image, (B,)."""
        assert outputs.source is not None
        assert outputs.cycle is not None
        return (outputs.source - outputs.cycle).abs().flatten(1).mean(1)
