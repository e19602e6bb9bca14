"""What the neighbourhoods of two sets of features share."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.distances import CHUNK, distances, nearest
from gan.metrics.feature_metric import HeldFeatures, Role

SUBSET_SEED = 2020


class Overlap(NamedTuple):
    """How two sets cover each other.

    Around each point lies a ball, as far as the k-th nearest of the others of its set.

    Attributes:
        precision: share of fakes in the ball of some real, the border included, in [0, 1]
            (Kynkaanniemi et al., 2019, eq. 1 and 2).
        recall: share of reals in the ball of some fake, likewise.
        density: reals' balls around a fake, on average, over k, 0 or more; the border is left out
            as in the authors' code, so that copies have density 1 (Naeem et al., 2020, section 3).
        coverage: share of reals with a fake in their ball, likewise, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(
    fakes: Tensor, reals: Tensor, precision_k: int, coverage_k: int, chunk: int = CHUNK
) -> Overlap:
    """Overlap of N fakes and N reals.

    Precision and recall with balls to the `precision_k`-th neighbour, density and coverage with
    those to the `coverage_k`-th, both below N; memory is chunk x N.

    Args:
        fakes: features (N, F).
        reals: features (N, F).
        precision_k: neighbours.
        coverage_k: neighbours.
        chunk: rows at a time.
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


def thinned(pool: Tensor, count: int) -> Tensor:
    """`count` of the rows (N, F), the same random ones each time; all, in order, where N is it."""
    if len(pool) == count:
        return pool
    order = np.random.RandomState(SUBSET_SEED).permutation(len(pool))[:count]
    return pool[torch.from_numpy(order).to(pool.device)]


class Neighbours(HeldFeatures):
    """Keys "precision", "recall", "density" and "coverage" of a backbone's pooled features.

    Each is that of `overlap`, with equally many images of both sides, as its authors take: of the
    more numerous side a fixed random part. All four depend on that number.

    Args:
        precision_k: neighbours of precision and recall.
        coverage_k: neighbours of density and coverage.

    Raises:
        InputError: no neighbours.
    """

    ranking = ("precision", "recall", "density", "coverage")
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
        """Numbers of neighbours and of reals."""
        return {
            "precision_k": self.precision_k,
            "coverage_k": self.coverage_k,
            "neighbours_reals": "as many as fakes",
        }

    def compute(self) -> dict[str, float]:
        """The four values.

        Raises:
            InputError: no more images than neighbours on either side.
        """
        fakes, reals = self.pool(Role.FAKE), self.pool(Role.REAL)
        count, k = min(len(fakes), len(reals)), max(self.precision_k, self.coverage_k)
        if count <= k:
            raise InputError(
                f"{k} neighbours take {k + 1} images on either side, got {len(fakes)} generated "
                f"and {len(reals)} real: raise metrics.num_fakes"
            )
        sides = thinned(fakes, count), thinned(reals, count)
        return overlap(*sides, self.precision_k, self.coverage_k)._asdict()
