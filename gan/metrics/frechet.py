"""The Frechet distance between two sets of features."""

from typing import ClassVar

import torch
from torch import Tensor

from gan.metrics.backbone import Features
from gan.metrics.feature_metric import FeatureMetric


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

    real_states: ClassVar[tuple[str, ...]] = ("real_count", "real_sum", "real_outer")
    higher_is_better = False
    is_differentiable = False

    real_count: Tensor
    real_sum: Tensor
    real_outer: Tensor
    fake_count: Tensor
    fake_sum: Tensor
    fake_outer: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in (*self.real_states, "fake_count", "fake_sum", "fake_outer"):
            # scalar until the first batch
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, features: Features, real: bool) -> None:
        """Adds pooled features (B, F) of real or of generated images."""
        pool = features.pool.double()
        count, total, outer = len(pool), pool.sum(0), pool.T @ pool
        if real:
            self.real_count = self.real_count + count
            self.real_sum = self.real_sum + total
            self.real_outer = self.real_outer + outer
        else:
            self.fake_count = self.fake_count + count
            self.fake_sum = self.fake_sum + total
            self.fake_outer = self.fake_outer + outer

    def compute(self) -> dict[str, float]:
        """The distance of all fakes to all reals.

        Raises:
            ValueError: fewer than two images on either side.
        """
        reals = _moments(self.real_count, self.real_sum, self.real_outer)
        fakes = _moments(self.fake_count, self.fake_sum, self.fake_outer)
        return {"fid": float(frechet_distance(*reals, *fakes))}


def _moments(count: Tensor, total: Tensor, outer: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (F,) and unbiased covariance (F, F) from streamed sums."""
    if count < 2:
        raise ValueError(f"a covariance needs 2 images or more, got {int(count)}")
    mean = total / count
    return mean, (outer - count * torch.outer(mean, mean)) / (count - 1)
