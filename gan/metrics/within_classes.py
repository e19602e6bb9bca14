"""Features of generated and real images class by class."""

import logging
from collections.abc import Iterator

from torch import Tensor

from gan.backbones.base import NO_LABEL
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.feature_metric import FeatureSetMetric, Role

log = logging.getLogger(__name__)


def labels_missing(dataset: ImageDataset, labelled: bool) -> str | None:
    """Return why images cannot be compared class by class, or None.

    Args:
        dataset: of the real images.
        labelled: whether the fakes have labels.
    """
    if not dataset.num_classes:
        return f"{dataset.name} has no labels"
    return None if labelled else "the generated images have no labels, as of an unconditional model"


def within_classes(metric: FeatureSetMetric, k: int, name: str) -> list[tuple[int, Tensor, Tensor]]:
    """Return label, fakes (N, F) and real images (M, F) of every class with more than k of both.

    The others are left out, with a warning.

    Args:
        metric: that holds the features.
        k: neighbours that each image needs.
        name: of the metric.

    Raises:
        InputError: there is no such class.
    """
    found = [(y, f, r) for y, f, r in _classes(metric) if _enough(name, y, f, r, k)]
    if not found:
        raise InputError(
            f"no class has {k + 1} labelled images both generated and real: generate with a "
            f"conditional model of labelled data and raise evaluation.num_fakes, or leave {name} "
            "out"
        )
    return found


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
