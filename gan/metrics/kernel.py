"""The kernel distance between two sets of features."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gan import processes
from gan.errors import InputError
from gan.metrics.distances import PATIENCE
from gan.metrics.feature_metric import HeldFeatures, Role

SUBSET_SEED = 2020  # torch-fidelity's
LEAST = 4  # images that a variance takes


def polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    """(x.y / F + 1)^3, (n, m), of features (n, F), (m, F): Binkowski et al., 2018, section 4."""
    return (x @ y.T / x.shape[1] + 1) ** 3


class Discrepancy:
    """Squared maximum mean discrepancy of two samples, with what it varies by; all unbiased.

    Args:
        x: features of the first sample (n, F), n at least 4.
        y: of the second (m, F), m at least 4.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.xx = polynomial_kernel(x, x).fill_diagonal_(0)
        self.yy = polynomial_kernel(y, y).fill_diagonal_(0)
        self.xy = polynomial_kernel(x, y)

    def value(self) -> Tensor:
        """The discrepancy, below 0 by chance: Gretton et al., 2012, eq. 3."""
        xx, yy = (k.sum() / (len(k) * (len(k) - 1)) for k in (self.xx, self.yy))
        distance: Tensor = xx + yy - 2 * self.xy.mean()
        return distance

    def spreads(self) -> Tensor:
        """v_x, v_y, v_xx, v_yy and v_xy (5,) of `variance`."""
        xx, yy, xy = _pair_spread(self.xx), _pair_spread(self.yy), _cross_spread(self.xy)
        x = _point_spread(self.xx, self.xy) - xx / (len(self.xx) - 2) - xy / len(self.yy)
        y = _point_spread(self.yy, self.xy.T) - yy / (len(self.yy) - 2) - xy / len(self.xx)
        return torch.stack([x, y, xx, yy, xy])


def variance(spreads: Tensor, n: int, m: int) -> Tensor:
    """Variance of the discrepancy of n and m points, 0 or more.

    Hoeffding's decomposition, whose terms do not correlate:
    4 v_x / n + 4 v_y / m + 2 v_xx / n(n-1) + 2 v_yy / m(m-1) + 4 v_xy / nm, where v_x and v_y are
    variances over the points of either set of their mean kernel with the first set less that with
    the second, 0 for equal distributions, and v_xx, v_yy, v_xy those over pairs of the doubly
    centred kernel.

    Args:
        spreads: the five (5,).
        n: points of the first sample.
        m: points of the second.
    """
    x, y, xx, yy, xy = spreads
    pairs = 2 * xx / (n * (n - 1)) + 2 * yy / (m * (m - 1)) + 4 * xy / (n * m)
    total: Tensor = (4 * x / n + 4 * y / m).clamp(min=0) + pairs
    return total


def _point_spread(within: Tensor, across: Tensor) -> Tensor:
    """v_x, and the noise of its two means on top."""
    return (within.sum(1) / (len(within) - 2) - across.mean(1)).var()


def _pair_spread(within: Tensor) -> Tensor:
    """v_xx from the U-centred kernel: Szekely and Rizzo, 2014, definition 2."""
    n = len(within)
    rows = within.sum(1) / (n - 2)
    centred = within - rows[:, None] - rows + within.sum() / ((n - 1) * (n - 2))
    return centred.fill_diagonal_(0).square().sum() / (n * (n - 3))


def _cross_spread(across: Tensor) -> Tensor:
    """v_xy from the doubly centred kernel."""
    n, m = across.shape
    centred = across - across.mean(1, keepdim=True) - across.mean(0) + across.mean()
    return centred.square().sum() / ((n - 1) * (m - 1))


class KernelDistance(HeldFeatures):
    """KID on a backbone's pooled features, keys "kid", "kid_std" and "kid_se".

    Mean and population standard deviation, over random subsets drawn as torch-fidelity draws them,
    of the squared maximum mean discrepancy with a cubic kernel (Binkowski et al., 2018), in
    float64. "kid_std" is the spread of single subsets; "kid_se" is the standard error of "kid"
    over fresh fakes and fresh reals, the root of (1 - 1/S) V(N, M) + V(m, m) / S for S subsets of
    m among N fakes and M reals, where V is `variance` of what all subsets show on average. (All
    subsets there are would average to the discrepancy of all images, of variance V(N, M).)

    Args:
        subsets: S.
        subset_size: m, or all images of the smaller side where they are fewer.

    Raises:
        InputError: no subsets, or of fewer than four.
    """

    ranking = ("kid",)
    higher_is_better = False

    def __init__(self, subsets: int = 100, subset_size: int = 1000) -> None:
        super().__init__()
        if subsets < 1 or subset_size < LEAST:
            raise InputError(
                f"KID: subsets={subsets} must be 1 or more, subset_size={subset_size} {LEAST} "
                "or more"
            )
        self.subsets, self.subset_size = subsets, subset_size

    def stamp(self) -> dict[str, str | int | float]:
        """Number and size of the subsets."""
        return {"kid_subsets": self.subsets, "kid_subset_size": self.subset_size}

    def compute(self) -> dict[str, float]:
        """The distance, about 0 at best, its deviation and its standard error.

        Raises:
            InputError: fewer than four images on either side.
        """
        fakes, reals = self.pool(Role.FAKE), self.pool(Role.REAL)
        size = min(self.subset_size, len(fakes), len(reals))
        if size < LEAST:
            raise InputError(
                f"KID needs {LEAST} images on either side, got {len(fakes)} generated and "
                f"{len(reals)} real: raise metrics.num_fakes"
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
        """Discrepancy and spreads (6,) of each subset."""
        rng = np.random.RandomState(SUBSET_SEED)
        hidden = processes.rank() > 0
        for _ in tqdm(
            range(self.subsets), desc="subsets", leave=False, delay=PATIENCE, disable=hidden
        ):
            x, y = (
                pool[torch.from_numpy(rng.choice(len(pool), size, replace=False))].double()
                for pool in (fakes, reals)
            )
            found = Discrepancy(x, y)
            yield torch.cat([found.value()[None], found.spreads()])
