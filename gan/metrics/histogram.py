"""What the classes of generated images say, as the backbone sees them."""

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.backbones.base import NO_LABEL, Backbone, Features
from gan.backbones.source import RealSource
from gan.errors import InputError
from gan.metrics.feature_metric import FeatureMetric, Role


def counts(classes: Tensor, num_classes: int) -> Tensor:
    """How often each class occurs in int64 (B,), int64 (K,)."""
    return torch.nn.functional.one_hot(classes, num_classes).sum(0)


def divergence(fakes: Tensor, reals: Tensor) -> Tensor:
    """KL(fakes || reals) of two histograms in nats, float64, 0 or more and always finite.

    Each class of the reals counts one image more than was seen: a class in which there are none
    is improbable instead of impossible. A uniform histogram stays uniform.

    Args:
        fakes: counts, int64 (K,), at least one image.
        reals: counts, int64 (K,).
    """
    q = fakes.double() / fakes.sum()
    p = (reals.double() + 1) / (reals.sum() + len(reals))
    value: Tensor = (torch.special.xlogy(q, q) - q * p.log()).sum()
    return value.clamp(min=0)


class ClassHistogram(FeatureMetric, ABC):
    """Counts of the classes of fakes and of reals, each image's the argmax of its logits.

    Only int64 counts (K,) are held; those of the reals are kept in one file for all such metrics.
    """

    held: ClassVar[Mapping[Role, tuple[str, ...]]] = {Role.REAL: ("counts",)}

    fake_counts: Tensor
    real_counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        for role in (Role.FAKE, Role.REAL):
            # scalar until the first batch
            zero = torch.zeros((), dtype=torch.int64)
            self.add_state(f"{role.value}_counts", zero, dist_reduce_fx="sum")

    @property
    def protocol(self) -> str:
        """The counts alone."""
        return "class histogram"

    def refusal(self, backbone: Backbone, source: RealSource, labelled: bool) -> str | None:
        """It needs class scores."""
        return None if backbone.classifies else f"{backbone.name} has no class scores"

    def update(self, features: Features, role: Role) -> None:
        """Counts the classes of logits (B, K) of real or of generated images."""
        if role is Role.UNSEEN:
            return
        key = f"{role.value}_counts"
        found = counts(features.logits.argmax(1), features.logits.shape[1])
        setattr(self, key, getattr(self, key) + found)


class Modes(ClassHistogram):
    """Classes that some fake falls into, keys "modes" and "mode_coverage" (their share).

    Only classes that some real image falls into are counted. Both grow with the number of fakes:
    1,000 classes are counted in 26,000 (Srivastava et al., 2017, VEEGAN; Lin et al., 2018, PacGAN)
    or 25,600 (Metz et al., 2017).
    """

    ranking = ("modes", "mode_coverage")
    higher_is_better = True

    def compute(self) -> dict[str, float]:
        """The number, in 0..K, and the share, in [0, 1]."""
        real = self.real_counts > 0
        modes = (real & (self.fake_counts > 0)).sum()
        return {"modes": float(modes), "mode_coverage": float(modes / real.sum())}


class ClassDivergence(ClassHistogram):
    """KL(fakes || reals) between the distributions of classes in nats, key "class_kl".

    The direction of Srivastava et al. (2017, VEEGAN) and Lin et al. (2018, PacGAN), who take it to
    the uniform distribution: m of K equally probable classes, each as often, score log(K / m).
    Deviation: the reals are counted as the backbone sees them, one more in each class (see
    `divergence`), so that classes of unequal size and the classifier's own errors do no harm.
    N fakes of the reals' own distribution score about (K - 1) / (2 N), not 0.
    """

    ranking = ("class_kl",)
    higher_is_better = False

    def compute(self) -> dict[str, float]:
        """The divergence, 0 or more."""
        return {"class_kl": float(divergence(self.fake_counts, self.real_counts))}


class LabelConsistency(FeatureMetric):
    """Share of fakes whose class is the label that was asked for, key "label_consistency".

    The class is the argmax of the logits, of which the backbone must know the data's own labels;
    known as classification accuracy (Ravuri and Vinyals, 2019) where the classifier is another.
    For real images in the place of fakes it is the classifier's accuracy, the bound in practice.
    """

    ranking = ("label_consistency",)
    higher_is_better = True

    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def refusal(self, backbone: Backbone, source: RealSource, labelled: bool) -> str | None:
        """It needs a backbone of the data's own classes, and fakes with labels."""
        if not backbone.knows_labels:
            return f"{backbone.name} does not know the labels of {source.name}"
        if not labelled:
            return "the model is unconditional: set conditioning=projection"
        return None

    def update(self, features: Features, role: Role) -> None:
        """Compares logits (B, K) of generated images with their labels (B,).

        Raises:
            InputError: some image comes without a label.
        """
        if role is not Role.FAKE:
            return
        if (features.labels == NO_LABEL).any():
            raise InputError(
                "label_consistency: generated images came without labels, the model is "
                "unconditional: set conditioning=projection, or leave label_consistency out"
            )
        self.hits = self.hits + (features.logits.argmax(1) == features.labels).sum()
        self.count = self.count + len(features.labels)

    def compute(self) -> dict[str, float]:
        """The share, in [0, 1]."""
        return {"label_consistency": float(self.hits / self.count)}
