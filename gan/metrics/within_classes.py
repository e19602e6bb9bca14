"""Metrics within classes: features of generated and real images class by class."""

import logging
from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor

from gan.backbones.base import NO_LABEL, Backbone
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.feature_metric import FeatureSetMetric, Role

log = logging.getLogger(__name__)


class WithinClasses(FeatureSetMetric):
    """A metric within each class, by the labels that fakes were conditioned on.

    Args:
        k: neighbours of an image; classes of no more images on one side are left out.

    Attributes:
        name: of the metric.

    Raises:
        InputError: fewer than one neighbour.
    """

    name: ClassVar[str]

    def __init__(self, k: int) -> None:
        super().__init__()
        if k < 1:
            raise InputError(f"{self.name}: k={k} must be 1 or more")
        self.k = k

    @abstractmethod
    def values_of_class(self, fakes: Tensor, reals: Tensor) -> dict[str, float]:
        """Return the values of one class from features (N, F) and (M, F)."""

    def stamp(self) -> dict[str, str | int | float]:
        """Return the number of neighbours."""
        return {f"{self.name}_k": self.k}

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Require labels on both sides."""
        if not dataset.num_classes:
            return f"{dataset.name} has no labels"
        if not labelled:
            return "the generated images have no labels, as of an unconditional model"
        return None

    def compute(self) -> dict[str, float]:
        """Return the values of every class with enough images, and the means that rank models.

        Raises:
            InputError: there is no such class.
        """
        sides = [(y, f, r) for y, f, r in _classes(self) if _enough(self.name, y, f, r, self.k)]
        if not sides:
            raise InputError(
                f"no class has {self.k + 1} labelled images both generated and real: generate with "
                "a conditional model of labelled data and raise evaluation.num_fakes, or leave "
                f"{self.name} out"
            )
        rows = {label: self.values_of_class(fakes, reals) for label, fakes, reals in sides}
        means = {key: sum(row[key] for row in rows.values()) / len(rows) for key in self.ranking}
        return means | {
            f"{key}/{y}": value for y, row in rows.items() for key, value in row.items()
        }


def _classes(metric: FeatureSetMetric) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield label, fakes and real images of every class."""
    sides = [(metric.pool(role), metric.labels(role)) for role in (Role.FAKE, Role.REAL)]
    present = {label for _, labels in sides for label in labels.tolist()} - {NO_LABEL}
    for label in sorted(present):
        fakes, reals = (pool[labels == label] for pool, labels in sides)
        yield label, fakes, reals


def _enough(name: str, label: int, fakes: Tensor, reals: Tensor, k: int) -> bool:
    """Return whether a class has more than k images on either side; warn if it has not."""
    if min(len(fakes), len(reals)) > k:
        return True
    log.warning(
        "%s leaves class %d out: %d generated and %d real images, needs %d",
        name,
        label,
        len(fakes),
        len(reals),
        k + 1,
    )
    return False
