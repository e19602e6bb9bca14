"""FID, precision and recall within each class."""

import math

import torch
from torch import Tensor

from gan.metrics.frechet import distance_from_root, moments, root
from gan.metrics.neighbours import overlap, subsample
from gan.metrics.within_classes import WithinClasses


def frechet_of(x: Tensor, y: Tensor) -> Tensor:
    """Return the squared Frechet distance, float64, of features (N, F) and (M, F).

    `frechet_distance` of their moments, with eigenvalues of a matrix of the smallest of N, M and F
    rows.

    Args:
        x: features, N 2 or more.
        y: features, M 2 or more.
    """
    fewer, more = sorted((x, y), key=len)
    return distance_from_root(fewer.mean(0, dtype=torch.float64), _factor(fewer), *moments(more))


def _factor(pool: Tensor) -> Tensor:
    """Return a root of the covariance of features (N, F), float64 (F, r), r at most N and F."""
    if len(pool) > pool.shape[1]:
        return root(moments(pool)[1])
    centred: Tensor = pool.double() - pool.mean(0, dtype=torch.float64)
    return centred.T / math.sqrt(len(pool) - 1)


class PerClass(WithinClasses):
    """FID, precision and recall within each class, by the labels that fakes were conditioned on.

    Keys "intra_fid/3", "precision/3" and "recall/3" for class 3, and "intra_fid", the mean of the
    first over the classes (Miyato and Koyama, 2018). Covariances are unbiased. Precision and recall
    are those of `overlap`, with equally many images on both sides. FID within a class has a bias
    from the small number of images: compare it at equal numbers only. Classes with k images or
    fewer on one side are left out, with a warning.

    Args:
        k: neighbours of precision and recall.

    Raises:
        InputError: fewer than one neighbour.
    """

    name = "per_class"
    ranking = ("intra_fid",)
    per_class = ("intra_fid", "precision", "recall")
    higher_is_better = False

    def __init__(self, k: int = 3) -> None:
        super().__init__(k)

    def values_of_class(self, fakes: Tensor, reals: Tensor) -> dict[str, float]:
        """Return the values of one class from features (N, F) and (M, F)."""
        count = min(len(fakes), len(reals))
        shared = overlap(subsample(fakes, count), subsample(reals, count), self.k, self.k)
        return {
            "intra_fid": float(frechet_of(reals, fakes)),
            "precision": shared.precision,
            "recall": shared.recall,
        }
