"""Precision, recall, density and coverage of two sets of features."""

from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.distances import CHUNK, distances, nearest
from gan.metrics.feature_metric import FeatureSetMetric, Role

SUBSET_SEED = 2020


class Overlap(NamedTuple):
    """Overlap of a set of fakes and a set of real images.

    The ball of a point has the radius of the distance to its k-th nearest neighbour in its own set.

    Attributes:
        precision: fraction of fakes in the closed ball of a real image, in [0, 1] (Kynkaanniemi et
            al., 2019, eq. 1 and 2).
        recall: fraction of real images in the closed ball of a fake, in [0, 1].
        density: mean number of open balls of real images that hold a fake, over k, 0 or more.
            Balls are open as in the authors' code, so that copies have density 1 (Naeem et al.,
            2020, section 3).
        coverage: fraction of real images with a fake in their open ball, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(
    fakes: Tensor, reals: Tensor, precision_k: int, coverage_k: int, chunk: int = CHUNK
) -> Overlap:
    """Return the overlap of N fakes and N real images.

    Args:
        fakes: features (N, F).
        reals: features (N, F).
        precision_k: k of precision and recall, below N.
        coverage_k: k of density and coverage, below N.
        chunk: rows at a time; memory is chunk x N.
    """
    radii = nearest(reals, reals, max(precision_k, coverage_k) + 1, chunk)[0]
    reach = nearest(fakes, fakes, precision_k + 1, chunk)[0][:, precision_k, None]
    recalled, covered = torch.zeros(2, len(reals), dtype=torch.bool, device=reals.device)
    precise, counts = [], []
    rows = distances(fakes, reals, chunk, "overlap")
    for row, ball in zip(rows, torch.split(reach, chunk), strict=True):
        inside = row < radii[:, coverage_k]
        precise.append((row <= radii[:, precision_k]).any(1))
        counts.append(inside.sum(1))
        recalled |= (row <= ball).any(0)
        covered |= inside.any(0)
    parts = torch.cat(precise), recalled, torch.cat(counts).double() / coverage_k, covered
    return Overlap(*(float(part.double().mean()) for part in parts))


def subsample(pool: Tensor, count: int) -> Tensor:
    """Return a fixed random subset of `count` rows of (N, F); all rows, in order, for count N."""
    if len(pool) == count:
        return pool
    order = np.random.RandomState(SUBSET_SEED).permutation(len(pool))[:count]
    return pool[torch.from_numpy(order).to(pool.device)]


class Neighbours(FeatureSetMetric):
    """`overlap` of pooled features, keys "precision", "recall", "density" and "coverage".

    Both sides have equally many images, as in the papers: a fixed random subset of the larger side.
    All four values depend on that number.

    Args:
        precision_k: neighbours of precision and recall.
        coverage_k: neighbours of density and coverage.

    Raises:
        InputError: fewer than one neighbour.
    """

    ranking: ClassVar[tuple[str, ...]] = ("precision", "recall", "density", "coverage")
    higher_is_better = True

    def __init__(self, precision_k: int = 3, coverage_k: int = 5) -> None:
        super().__init__()
        if min(precision_k, coverage_k) < 1:
            raise InputError(
                f"neighbours: precision_k={precision_k} and coverage_k={coverage_k} must be 1 or "
                "more"
            )
        self.precision_k, self.coverage_k = precision_k, coverage_k

    def stamp(self) -> dict[str, str | int | float]:
        """Return the numbers of neighbours and of real images."""
        return {
            "precision_k": self.precision_k,
            "coverage_k": self.coverage_k,
            "neighbours_reals": "as many as fakes",
        }

    def compute(self) -> dict[str, float]:
        """Return the four values.

        Raises:
            InputError: one side has no more images than neighbours.
        """
        fakes, reals = self.pool(Role.FAKE), self.pool(Role.REAL)
        count, k = min(len(fakes), len(reals)), max(self.precision_k, self.coverage_k)
        if count <= k:
            raise InputError(
                f"{k} neighbours need {k + 1} images on either side, got {len(fakes)} generated "
                f"and {len(reals)} real: raise evaluation.num_fakes"
            )
        sides = subsample(fakes, count), subsample(reals, count)
        return overlap(*sides, self.precision_k, self.coverage_k)._asdict()


class Coverage(Neighbours):
    """Coverage alone, the value of :class:`Neighbours`, for short tables.

    Args:
        precision_k: as in :class:`Neighbours`, whose protocol this is.
        coverage_k: neighbours of coverage.
    """

    ranking = ("coverage",)

    def compute(self) -> dict[str, float]:
        """Return coverage."""
        return {"coverage": super().compute()["coverage"]}
