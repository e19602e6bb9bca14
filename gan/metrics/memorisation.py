"""Tests whether generated images are copies of training images."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.latents import keyed_generator
from gan.metrics.distances import nearest
from gan.metrics.feature_metric import FeatureSetMetric, Role
from gan.metrics.frechet import frechet_distance

COPY_QUANTILE = 0.01  # of the distances of unseen images to the nearest training image


def rank_score(values: Tensor, reference: Tensor) -> float:
    """Return Mann and Whitney's U of two samples as a z-score.

    U counts the pairs with the larger number in `values`, ties as a half. Its mean nm/2 and
    variance nm(n + m + 1)/12 are those of equal distributions without ties.

    Args:
        values: (n,); the score is below 0 if they are the smaller ones.
        reference: (m,).
    """
    n, m = len(values), len(reference)
    ordered = reference.sort().values
    below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    wins = float((below + upto).sum()) / 2
    return (wins - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


class Memorisation(FeatureSetMetric):
    """Tests for copies in feature space, with the real images of the other split as a reference.

    "Real" images are those that the model was trained on (evaluation.split=train), "unseen" images
    those of the other split. Keys, each with its value for fakes of the distribution of the data:

    * "nearest_real", "nearest_unseen": median distance of fakes to the nearest of equally many
      images of either split; equal.
    * "copies": fraction of fakes that are as near to a real image as the nearest 1 % of unseen
      images; 0.01.
    * "copying_z": Meehan, Chaudhuri and Dasgupta, 2020: whether fakes are nearer to real images
      than unseen images are. Mann and Whitney's U as a z-score, which grows with the square root of
      the counts; 0, below -5 for copies, above 5 for fakes far from the data. Deviation from the
      paper: the whole space is one cell, so poor fakes in one region can mask copies in another.
    * "authenticity": Alaa et al., 2022: fraction of fakes that are farther from their nearest real
      image than that image is from the next real image; about a half, near 0 for copies.
    * "fid_real_equal", "fid_unseen_equal", "fid_gap": FID of fakes to equally many images of either
      split, and the second minus the first; near 0, well above 0 for copies.

    The first and the last group read a random subset of the larger real split, and miss copies of
    the rest. The other three read all real images. Distances are those of features: a copy with
    noise larger than the distances within the data counts as new. Mode collapse raises both values
    of FID and the noise of the gap, and does not change the other values.

    Args:
        seed: of the random subset.

    Attributes:
        suspects: (fake, real, distance) of every fake of the last `compute` and its nearest real
            image, by ascending distance; index of the fake in its order, index of the real image
            in its split.
    """

    real_states: ClassVar[Mapping[Role, tuple[str, ...]]] = {
        Role.REAL: ("pool", "labels"),
        Role.UNSEEN: ("pool", "labels"),
    }

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.suspects: list[tuple[int, int, float]] = []

    def compute(self) -> dict[str, float]:
        """Return all values.

        Raises:
            ValueError: a role has fewer than two images.
        """
        fakes, reals, unseen = (self.pool(role) for role in (Role.FAKE, *self.real_states))
        if min(len(fakes), len(reals), len(unseen)) < 2:
            raise ValueError("memorisation needs 2 images or more of each kind")
        return self._equal(fakes, reals, unseen) | self._copying(fakes, reals, unseen)

    def stamp(self) -> dict[str, str | int | float]:
        """Return the seed; the stamp of the evaluation has the counts."""
        return {"memorisation_seed": self.seed}

    def _equal(self, fakes: Tensor, reals: Tensor, unseen: Tensor) -> dict[str, float]:
        """Compute the distances to equally many images of both splits."""
        count, values = min(len(reals), len(unseen)), {}
        for name, pool in (("real", reals), ("unseen", unseen)):
            order = torch.randperm(len(pool), generator=keyed_generator(self.seed))
            some = pool[order[:count].to(pool.device)]
            values[f"nearest_{name}"] = float(nearest(fakes, some, 1)[0].median())
            values[f"fid_{name}_equal"] = float(frechet_distance(*_moments(some), *_moments(fakes)))
        return values | {"fid_gap": values["fid_unseen_equal"] - values["fid_real_equal"]}

    def _copying(self, fakes: Tensor, reals: Tensor, unseen: Tensor) -> dict[str, float]:
        """Compute the tests that read all real images."""
        distances, indices = (columns[:, 0] for columns in nearest(fakes, reals, 1))
        usual = nearest(unseen, reals, 1)[0][:, 0]
        unique, inverse = torch.unique(indices, return_inverse=True)
        between_reals = nearest(reals[unique], reals, 2)[0][:, 1][inverse]
        self.suspects = _by_distance(distances, indices)
        return {
            "copies": float((distances <= usual.quantile(COPY_QUANTILE)).float().mean()),
            "copying_z": rank_score(distances, usual),
            "authenticity": float((distances > between_reals).float().mean()),
        }


def _moments(pool: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (F,) and unbiased covariance (F, F), float64, of features (N, F)."""
    pool, mean = pool.double(), pool.double().mean(0)
    return mean, (pool - mean).T @ (pool - mean) / (len(pool) - 1)


def _by_distance(distances: Tensor, indices: Tensor) -> list[tuple[int, int, float]]:
    """Return (fake, real, distance) of every fake, by ascending distance."""
    order = distances.argsort(stable=True)
    columns = (order.tolist(), indices[order].tolist(), distances[order].tolist())
    return list(zip(*columns, strict=True))
