"""The Frechet distance for an infinite number of images."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from gan.backbones.base import Features
from gan.errors import InputError
from gan.metrics.distances import PROGRESS_DELAY
from gan.metrics.feature_metric import Role
from gan.metrics.frechet import FrechetDistance, distance_from_root, moments, root
from gan.progress import track

SUBSET_SEED = 2020


class FrechetInfinity(FrechetDistance):
    """FID extrapolated to infinitely many fakes, key "fid_infinity"; can be below 0 by chance.

    FID of n fakes has a bias of about c / n. It is computed at evenly spaced n on random subsets of
    the fakes; a line fitted over 1 / n gives the value at 0 (Chong and Forsyth, 2020). The bias
    from the number of real images stays. The authors start at n = 5,000 of 50,000, a tenth. The
    bias is not linear for n near the number of features, so the default starts at half. The moments
    of real images are those of FID, from the same file.

    Args:
        points: number of values n, 2 or more.
        least: smallest n as a fraction of all fakes, in (0, 1).

    Raises:
        InputError: a number is out of range.
    """

    ranking = ("fid_infinity",)

    fake_pool: list[Tensor]

    def __init__(self, points: int = 15, least: float = 0.5) -> None:
        super().__init__()
        if points < 2 or not 0 < least < 1:
            raise InputError(
                f"FID infinity: points={points} must be 2 or more, least={least} between 0 and 1"
            )
        self.points, self.least = points, least
        self.add_state("fake_pool", [], dist_reduce_fx="cat")

    @property
    def cache_key(self) -> str:
        """Return the name of the states of FID in the cache."""
        return FrechetDistance.__name__

    def stamp(self) -> dict[str, str | int | float]:
        """Return the number of values n and the smallest."""
        return {"fid_infinity_points": self.points, "fid_infinity_least": self.least}

    def update(self, features: Features, role: Role) -> None:
        """Add pooled features (B, F): the sums of real images, the features of fakes."""
        if role is Role.FAKE:
            self.fake_pool.append(features.pool)
        else:
            super().update(features, role)

    def compute(self) -> dict[str, float]:
        """Return the intercept of the line.

        Raises:
            ValueError: fewer than two real images.
            InputError: too few fakes for two values n.
        """
        fakes = dim_zero_cat(self.fake_pool)
        counts = self._counts(len(fakes))
        distances = self._distances(fakes, counts)
        _, intercept = np.polyfit(1 / counts, distances, 1)
        return {"fid_infinity": float(intercept)}

    def _counts(self, total: int) -> NDArray[np.int64]:
        """Return the values n, ascending to `total`."""
        counts = np.linspace(max(2, self.least * total), total, self.points).astype(np.int64)
        if total <= 2 or counts[0] == total:
            raise InputError(
                f"FID infinity needs more than {total} generated images: raise evaluation.num_fakes"
            )
        return counts

    def _distances(self, fakes: Tensor, counts: NDArray[np.int64]) -> list[float]:
        """Return FID of random subsets of the fakes (N, F)."""
        mean, sigma = self.moments(Role.REAL)
        factor = root(sigma)
        rng, values = np.random.RandomState(SUBSET_SEED), []
        for count in track(counts, "points", len(counts), "point", PROGRESS_DELAY):
            rows = torch.from_numpy(rng.permutation(len(fakes))[:count]).to(fakes.device)
            values.append(float(distance_from_root(mean, factor, *moments(fakes[rows]))))
        return values
