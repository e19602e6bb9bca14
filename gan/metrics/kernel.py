"""The kernel distance between two sets of features."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.distances import PROGRESS_DELAY
from gan.metrics.feature_metric import FeatureSetMetric, Role
from gan.progress import track

SUBSET_SEED = 2020  # torch-fidelity's
MIN_SAMPLES = 4  # of the unbiased estimate of a variance


def polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return (x.y / F + 1)^3, (n, m), of features (n, F) and (m, F).

    Binkowski et al., 2018, section 4.
    """
    return (x @ y.T / x.shape[1] + 1) ** 3


class Discrepancy:
    """Squared maximum mean discrepancy of two samples and its variance, both unbiased.

    Args:
        x: features of the first sample (n, F), n 4 or more.
        y: features of the second sample (m, F), m 4 or more.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.xx = polynomial_kernel(x, x).fill_diagonal_(0)
        self.yy = polynomial_kernel(y, y).fill_diagonal_(0)
        self.xy = polynomial_kernel(x, y)

    def value(self) -> Tensor:
        """Return the discrepancy, which can be below 0 by chance: Gretton et al., 2012, eq. 3."""
        xx, yy = (k.sum() / (len(k) * (len(k) - 1)) for k in (self.xx, self.yy))
        distance: Tensor = xx + yy - 2 * self.xy.mean()
        return distance

    def spreads(self) -> Tensor:
        """Return v_x, v_y, v_xx, v_yy and v_xy of `variance`, (5,)."""
        xx, yy, xy = _pair_spread(self.xx), _pair_spread(self.yy), _cross_spread(self.xy)
        x = _point_spread(self.xx, self.xy) - xx / (len(self.xx) - 2) - xy / len(self.yy)
        y = _point_spread(self.yy, self.xy.T) - yy / (len(self.yy) - 2) - xy / len(self.xx)
        return torch.stack([x, y, xx, yy, xy])


def variance(spreads: Tensor, n: int, m: int) -> Tensor:
    """Return the variance of the discrepancy of n and m points, 0 or more.

    Sum of the uncorrelated terms of Hoeffding's decomposition:
    4 v_x / n + 4 v_y / m + 2 v_xx / n(n-1) + 2 v_yy / m(m-1) + 4 v_xy / nm. v_x and v_y are
    variances over the points of one set: of the mean kernel with the first set minus the mean
    kernel with the second, 0 for equal distributions. v_xx, v_yy and v_xy are variances over pairs
    of the doubly centred kernel.

    Args:
        spreads: v_x, v_y, v_xx, v_yy and v_xy, (5,).
        n: number of points of the first sample.
        m: number of points of the second sample.
    """
    x, y, xx, yy, xy = spreads
    pairs = 2 * xx / (n * (n - 1)) + 2 * yy / (m * (m - 1)) + 4 * xy / (n * m)
    total: Tensor = (4 * x / n + 4 * y / m).clamp(min=0) + pairs
    return total


def _point_spread(within: Tensor, across: Tensor) -> Tensor:
    """Return v_x plus the noise of its two means."""
    return (within.sum(1) / (len(within) - 2) - across.mean(1)).var()


def _pair_spread(within: Tensor) -> Tensor:
    """Return v_xx of the U-centred kernel: Szekely and Rizzo, 2014, definition 2."""
    n = len(within)
    rows = within.sum(1) / (n - 2)
    centred = within - rows[:, None] - rows + within.sum() / ((n - 1) * (n - 2))
    return centred.fill_diagonal_(0).square().sum() / (n * (n - 3))


def _cross_spread(across: Tensor) -> Tensor:
    """Return v_xy of the doubly centred kernel."""
    n, m = across.shape
    centred = across - across.mean(1, keepdim=True) - across.mean(0) + across.mean()
    return centred.square().sum() / ((n - 1) * (m - 1))


class KernelDistance(FeatureSetMetric):
    """KID on a backbone's pooled features, keys "kid", "kid_std" and "kid_se".

    Mean and population standard deviation over random subsets of the squared maximum mean
    discrepancy with a cubic kernel (Binkowski et al., 2018), in float64; the subsets are those of
    torch-fidelity. "kid_std" is the deviation of single subsets. "kid_se" is the standard error of
    "kid" for new fakes and new real images: the root of (1 - 1/S) V(N, M) + V(m, m) / S for S
    subsets of m among N fakes and M real images. V is `variance` of the mean spreads of the
    subsets. (The mean over all possible subsets is the discrepancy of all images, with variance
    V(N, M).)

    Args:
        subsets: S, number of subsets.
        subset_size: m, images per subset; with fewer images on one side, all of that side.

    Raises:
        InputError: no subsets, or subsets of fewer than four images.
    """

    ranking = ("kid",)
    higher_is_better = False

    def __init__(self, subsets: int = 100, subset_size: int = 1000) -> None:
        super().__init__()
        if subsets < 1 or subset_size < MIN_SAMPLES:
            raise InputError(
                f"KID: subsets={subsets} must be 1 or more, subset_size={subset_size} "
                f"{MIN_SAMPLES} or more"
            )
        self.subsets, self.subset_size = subsets, subset_size

    def stamp(self) -> dict[str, str | int | float]:
        """Return number and size of the subsets."""
        return {"kid_subsets": self.subsets, "kid_subset_size": self.subset_size}

    def compute(self) -> dict[str, float]:
        """Return the distance, about 0 at best, its deviation and its standard error.

        Raises:
            InputError: fewer than four images on either side.
        """
        fakes, reals = self.pool(Role.FAKE), self.pool(Role.REAL)
        size = min(self.subset_size, len(fakes), len(reals))
        if size < MIN_SAMPLES:
            raise InputError(
                f"KID needs {MIN_SAMPLES} images on either side, got {len(fakes)} generated and "
                f"{len(reals)} real: raise evaluation.num_fakes"
            )
        values, *spreads = torch.stack(list(self._subsets(fakes, reals, size))).T
        means = torch.stack(spreads).mean(1)
        whole, one = variance(means, len(fakes), len(reals)), variance(means, size, size)
        return {
            "kid": float(values.mean()),
            "kid_std": float(values.std(correction=0)),
            "kid_se": float((((self.subsets - 1) * whole + one) / self.subsets).sqrt()),
        }

    def _subsets(self, fakes: Tensor, reals: Tensor, size: int) -> Iterator[Tensor]:
        """Yield discrepancy and spreads (6,) of each subset."""
        rng = np.random.RandomState(SUBSET_SEED)
        subsets = range(self.subsets)
        for _ in track(subsets, "subsets", self.subsets, "subset", PROGRESS_DELAY):
            x, y = (
                pool[torch.from_numpy(rng.choice(len(pool), size, replace=False))].double()
                for pool in (fakes, reals)
            )
            discrepancy = Discrepancy(x, y)
            yield torch.cat([discrepancy.value()[None], discrepancy.spreads()])
