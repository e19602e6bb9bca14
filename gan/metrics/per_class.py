"""Metrics within each class."""

import logging
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gan.backbones.base import NO_LABEL, Backbone
from gan.backbones.source import RealSource
from gan.errors import InputError
from gan.metrics.feature_metric import HeldFeatures, Role
from gan.metrics.frechet import distance_from_root, moments, root
from gan.metrics.neighbours import overlap, thinned

log = logging.getLogger(__name__)


def frechet_of(x: Tensor, y: Tensor) -> Tensor:
    """Squared Frechet distance, float64, of features (N, F) and (M, F), N and M at least 2.

    `frechet_distance` of their moments, by eigenvalues no wider than the least of N, M and F.
    """
    fewer, more = sorted((x, y), key=len)
    return distance_from_root(fewer.mean(0, dtype=torch.float64), _factor(fewer), *moments(more))


def _factor(pool: Tensor) -> Tensor:
    """Root of the covariance of features (N, F), float64 (F, r), r at most N and F."""
    if len(pool) > pool.shape[1]:
        return root(moments(pool)[1])
    centred: Tensor = pool.double() - pool.mean(0, dtype=torch.float64)
    return centred.T / math.sqrt(len(pool) - 1)


class PerClass(HeldFeatures):
    """FID, precision and recall within each class, by the labels that fakes were asked for.

    Keys "intra_fid/3", "precision/3" and "recall/3" for class 3, and "intra_fid", the mean of the
    first over the classes (Miyato and Koyama, 2018). Covariances are unbiased;
    precision and recall are those of `overlap`, with equally many images of both sides. FID within
    a class is biased by the few images there: compare it at equal numbers only. Classes with k
    images or fewer on either side are left out, with a warning.

    Args:
        k: neighbours of precision and recall.

    Raises:
        InputError: no neighbours.
    """

    ranking = ("intra_fid",)
    higher_is_better = False

    def __init__(self, k: int = 3) -> None:
        super().__init__()
        if k < 1:
            raise InputError(f"per class: k={k} must be 1 or more")
        self.k = k

    def stamp(self) -> dict[str, str | int | float]:
        """Number of neighbours."""
        return {"per_class_k": self.k}

    def refusal(self, backbone: Backbone, source: RealSource, labelled: bool) -> str | None:
        """It needs labels on both sides."""
        if not source.num_classes:
            return f"{source.name} has no labels"
        return None if labelled else "the model is unconditional, its images have no labels"

    def compute(self) -> dict[str, float]:
        """The values of every class that can be measured.

        Raises:
            InputError: there is none.
        """
        found = {label: self._values(fakes, reals) for label, fakes, reals in self._classes()}
        if not found:
            raise InputError(
                f"no class has {self.k + 1} labelled images both generated and real: generate "
                "with a conditional model of labelled data and raise metrics.num_fakes, or leave "
                "the measures per class out"
            )
        values = {f"{key}/{label}": v for label, row in found.items() for key, v in row.items()}
        mean = sum(row["intra_fid"] for row in found.values()) / len(found)
        return {"intra_fid": mean} | values

    def _classes(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Label, fakes and reals of every class with more than k of both."""
        sides = [(self.pool(role), self.labels(role)) for role in (Role.FAKE, Role.REAL)]
        present = {label for _, labels in sides for label in labels.tolist()} - {NO_LABEL}
        for label in sorted(present):
            fakes, reals = (pool[labels == label] for pool, labels in sides)
            if min(len(fakes), len(reals)) > self.k:
                yield label, fakes, reals
            else:
                log.warning(
                    "class %d is left out per class: %d generated and %d real images, needs %d",
                    label,
                    len(fakes),
                    len(reals),
                    self.k + 1,
                )

    def _values(self, fakes: Tensor, reals: Tensor) -> dict[str, float]:
        """Of one class's features (N, F) and (M, F)."""
        count = min(len(fakes), len(reals))
        shared = overlap(thinned(fakes, count), thinned(reals, count), self.k, self.k)
        return {
            "intra_fid": float(frechet_of(reals, fakes)),
            "precision": shared.precision,
            "recall": shared.recall,
        }
