"""The Frechet distance between two sets of features."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.metrics.backbone import Features
from gan.metrics.feature_metric import FeatureMetric, Role


def frechet_distance(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor) -> Tensor:
    """Squared Frechet distance of two Gaussians, 0 or more.

    |mu1 - mu2|^2 + tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^(1/2)): Dowson and Landau, 1982; Heusel
    et al., 2017, eq. 6. The trace of the root is the sum of the roots of the eigenvalues of
    A^T sigma2 A with sigma1 = A A^T, a symmetric matrix; directions in which sigma1 has no
    variance are left out, so that fewer images than features do no harm.

    Args:
        mu1: mean, float64 (F,).
        sigma1: covariance, float64 (F, F).
        mu2: mean, float64 (F,).
        sigma2: covariance, float64 (F, F).
    """
    variances, axes = torch.linalg.eigh(sigma1)
    kept = variances > variances.max() * len(variances) * torch.finfo(variances.dtype).eps
    root = axes[:, kept] * variances[kept].sqrt()
    overlap = torch.linalg.eigvalsh(root.T @ sigma2 @ root).clamp(min=0).sqrt().sum()
    distance: Tensor = (mu1 - mu2).square().sum() + sigma1.trace() + sigma2.trace() - 2 * overlap
    return distance.clamp(min=0)


class FrechetDistance(FeatureMetric):
    """FID on a backbone's pooled features, key "fid".

    Streams float64 sums and outer products of both sets, never the features; covariances are
    unbiased (N - 1), as torch-fidelity's.
    """

    ranking = ("fid",)
    held: ClassVar[Mapping[Role, tuple[str, ...]]] = {Role.REAL: ("count", "sum", "outer")}
    higher_is_better = False

    def __init__(self) -> None:
        super().__init__()
        for role in (Role.FAKE, Role.REAL):
            for name in self.held[Role.REAL]:
                # scalar until the first batch
                zero = torch.zeros((), dtype=torch.float64)
                self.add_state(f"{role.value}_{name}", zero, dist_reduce_fx="sum")

    def update(self, features: Features, role: Role) -> None:
        """Adds pooled features (B, F) of real or of generated images."""
        if role is Role.UNSEEN:
            return
        pool = features.pool.double()
        batch = {"count": len(pool), "sum": pool.sum(0), "outer": pool.T @ pool}
        for name, value in batch.items():
            key = f"{role.value}_{name}"
            setattr(self, key, getattr(self, key) + value)

    def compute(self) -> dict[str, float]:
        """The distance of all fakes to all reals.

        Raises:
            ValueError: fewer than two images on either side.
        """
        reals, fakes = self.moments(Role.REAL), self.moments(Role.FAKE)
        return {"fid": float(frechet_distance(*reals, *fakes))}

    def moments(self, role: Role) -> tuple[Tensor, Tensor]:
        """Mean (F,) and unbiased covariance (F, F), float64, of the images of a role."""
        count, total, outer = (getattr(self, f"{role.value}_{n}") for n in self.held[Role.REAL])
        if count < 2:
            raise ValueError(f"a covariance needs 2 images or more, got {int(count)}")
        mean = total / count
        return mean, (outer - count * torch.outer(mean, mean)) / (count - 1)
