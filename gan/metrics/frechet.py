"""The Frechet distance between two sets of features."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.backbones.base import Features
from gan.metrics.feature_metric import FeatureMetric, Role


def frechet_distance(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor) -> Tensor:
    """Return the squared Frechet distance of two Gaussians, 0 or more.

    |mu1 - mu2|^2 + tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^(1/2)): Dowson and Landau, 1982; Heusel
    et al., 2017, eq. 6.

    Args:
        mu1: mean, float64 (F,).
        sigma1: covariance, float64 (F, F).
        mu2: mean, float64 (F,).
        sigma2: covariance, float64 (F, F).
    """
    return distance_from_root(mu1, root(sigma1), mu2, sigma2)


def distance_from_root(mu1: Tensor, root1: Tensor, mu2: Tensor, sigma2: Tensor) -> Tensor:
    """Return `frechet_distance`, given a root A of the first covariance, sigma1 = A A^T.

    The trace of (sigma1 sigma2)^(1/2) is the sum of the square roots of the eigenvalues of
    A^T sigma2 A, a symmetric matrix (r, r).

    Args:
        mu1: mean, float64 (F,).
        root1: A, float64 (F, r).
        mu2: mean, float64 (F,).
        sigma2: covariance, float64 (F, F).
    """
    overlap = torch.linalg.eigvalsh(root1.T @ sigma2 @ root1).clamp(min=0).sqrt().sum()
    spread = root1.square().sum() + sigma2.trace()
    distance: Tensor = (mu1 - mu2).square().sum() + spread - 2 * overlap
    return distance.clamp(min=0)


def root(sigma: Tensor) -> Tensor:
    """Return the root A, float64 (F, r), of a covariance A A^T, float64 (F, F).

    Directions without variance are left out, so that fewer images than features are accepted.
    """
    variances, axes = torch.linalg.eigh(sigma)
    positive = variances > variances.max() * len(variances) * torch.finfo(variances.dtype).eps
    factor: Tensor = axes[:, positive] * variances[positive].sqrt()
    return factor


def moments(pool: Tensor, chunk: int = 4096) -> tuple[Tensor, Tensor]:
    """Return mean (F,) and unbiased covariance (F, F), float64, of features (N, F), N at least 2.

    Args:
        pool: the features.
        chunk: rows that are converted to float64 at a time.
    """
    mean = pool.mean(0, dtype=torch.float64)
    outer = mean.new_zeros(len(mean), len(mean))
    for part in torch.split(pool, chunk):
        centred = part.double() - mean
        outer.addmm_(centred.T, centred)
    return mean, outer / (len(pool) - 1)


class FrechetDistance(FeatureMetric):
    """FID on a backbone's pooled features, key "fid".

    Holds float64 sums and outer products of both sets, not the features. Covariances are unbiased
    (N - 1), as in torch-fidelity.
    """

    ranking = ("fid",)
    real_states: ClassVar[Mapping[Role, tuple[str, ...]]] = {Role.REAL: ("count", "sum", "outer")}
    higher_is_better = False

    def __init__(self) -> None:
        super().__init__()
        for role in (Role.FAKE, Role.REAL):
            for name in self.real_states[Role.REAL]:
                # zero-dimensional before the first batch
                zero = torch.zeros((), dtype=torch.float64)
                self.add_state(f"{role.value}_{name}", zero, dist_reduce_fx="sum")

    def update(self, features: Features, role: Role) -> None:
        """Add pooled features (B, F) of real or of generated images."""
        if role is Role.UNSEEN:
            return
        pool = features.pool.double()
        batch = {"count": len(pool), "sum": pool.sum(0), "outer": pool.T @ pool}
        for name, value in batch.items():
            key = f"{role.value}_{name}"
            setattr(self, key, getattr(self, key) + value)

    def compute(self) -> dict[str, float]:
        """Return the distance of all fakes to all real images.

        Raises:
            ValueError: fewer than two images on either side.
        """
        reals, fakes = self.moments(Role.REAL), self.moments(Role.FAKE)
        return {"fid": float(frechet_distance(*reals, *fakes))}

    def moments(self, role: Role) -> tuple[Tensor, Tensor]:
        """Return mean (F,) and unbiased covariance (F, F), float64, of the images of a role."""
        names = self.real_states[Role.REAL]
        count, total, outer = (getattr(self, f"{role.value}_{name}") for name in names)
        if count < 2:
            raise ValueError(f"a covariance needs 2 images or more, got {int(count)}")
        mean = total / count
        return mean, (outer - count * torch.outer(mean, mean)) / (count - 1)
