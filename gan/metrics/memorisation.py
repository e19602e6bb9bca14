"""Whether generated images are new, or copies of the images that a model was trained on."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.latents import keyed_generator
from gan.metrics.distances import nearest
from gan.metrics.feature_metric import HeldFeatures, Role
from gan.metrics.frechet import frechet_distance

COMMON = 0.01  # share of unseen images that are as near to a training image as a "copy"


def rank_score(values: Tensor, reference: Tensor) -> float:
    """Mann-Whitney U of two samples as a z-score, below 0 where `values` (n,) are the smaller.

    U counts the pairs whose first is the larger, ties half; its mean nm/2 and variance
    nm(n + m + 1)/12 are those of equal distributions without ties.
    """
    n, m = len(values), len(reference)
    ordered = reference.sort().values
    below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    wins = float((below + upto).sum()) / 2
    return (wins - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


class Memorisation(HeldFeatures):
    """Tests for copies in feature space, with the real images of the other split as a yardstick.

    "Real" are the images that the model was trained on (metrics.split=train), "unseen" those that
    it was not. Keys, and what draws of the data's own distribution get:

    * "nearest_real", "nearest_unseen": median distance of fakes to the nearest of equally many
      images of either split; equal.
    * "copies": share of fakes as near to a real image as the nearest 1 % of unseen ones; 0.01.
    * "copying_z": Meehan, Chaudhuri and Dasgupta, 2020: whether fakes are nearer to reals than
      unseen images are, by Mann and Whitney's U as a z-score, which grows with the root of the
      counts; 0, below -5 for copies, above 5 for fakes that are far from the data. Departs from the
      paper in taking the whole space as one cell, so that copies of one region can hide behind poor
      fakes of another.
    * "authenticity": Alaa et al., 2022: share of fakes farther from their nearest real
      than that one is from the next real; about a half, near 0 for copies.
    * "fid_real_equal", "fid_unseen_equal", "fid_gap": Frechet distance of fakes to equally many
      images of either split, and the second less the first; near 0, well above it for copies.

    Equally many of a larger real split are a part of it, so that the first and the last group miss
    copies of the rest; the other three look at all real images. Distances are those of features:
    copies that noise has moved farther than the data lie apart count as new.

    Fakes of few modes raise both Frechet distances, and with them the noise of the gap, and leave
    the others where they are.

    Args:
        seed: of the choice of equally many images.

    Attributes:
        suspects: (fake, real, distance) of every fake of the last `compute` with its nearest real,
            nearest first; a fake by its place in what was fed, a real by its index in the split.
    """

    held: ClassVar[Mapping[Role, tuple[str, ...]]] = {
        Role.REAL: ("pool", "labels"),
        Role.UNSEEN: ("pool", "labels"),
    }

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.suspects: list[tuple[int, int, float]] = []

    def compute(self) -> dict[str, float]:
        """All values.

        Raises:
            ValueError: fewer than two images of a role.
        """
        fakes, reals, unseen = (self.pool(role) for role in (Role.FAKE, *self.held))
        if min(len(fakes), len(reals), len(unseen)) < 2:
            raise ValueError("memorisation needs 2 images or more of each kind")
        return self._equal(fakes, reals, unseen) | self._copying(fakes, reals, unseen)

    def stamp(self) -> dict[str, str | int | float]:
        """The seed; counts are in the stamp of the evaluation."""
        return {"memorisation_seed": self.seed}

    def _equal(self, fakes: Tensor, reals: Tensor, unseen: Tensor) -> dict[str, float]:
        """Distances to equally many images of both splits."""
        count, values = min(len(reals), len(unseen)), {}
        for name, pool in (("real", reals), ("unseen", unseen)):
            order = torch.randperm(len(pool), generator=keyed_generator(self.seed))
            some = pool[order[:count].to(pool.device)]
            values[f"nearest_{name}"] = float(nearest(fakes, some, 1)[0].median())
            values[f"fid_{name}_equal"] = float(frechet_distance(*_moments(some), *_moments(fakes)))
        return values | {"fid_gap": values["fid_unseen_equal"] - values["fid_real_equal"]}

    def _copying(self, fakes: Tensor, reals: Tensor, unseen: Tensor) -> dict[str, float]:
        """Tests of how near fakes are to all reals."""
        distances, owners = (found[:, 0] for found in nearest(fakes, reals, 1))
        usual = nearest(unseen, reals, 1)[0][:, 0]
        few, places = torch.unique(owners, return_inverse=True)
        room = nearest(reals[few], reals, 2)[0][:, 1][places]
        self.suspects = _ranked(distances, owners)
        return {
            "copies": float((distances <= usual.quantile(COMMON)).float().mean()),
            "copying_z": rank_score(distances, usual),
            "authenticity": float((distances > room).float().mean()),
        }


def _moments(pool: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (F,) and unbiased covariance (F, F), float64, of features (N, F)."""
    pool, mean = pool.double(), pool.double().mean(0)
    return mean, (pool - mean).T @ (pool - mean) / (len(pool) - 1)


def _ranked(distances: Tensor, owners: Tensor) -> list[tuple[int, int, float]]:
    """Place, owner and distance of every fake, nearest first."""
    order = distances.argsort(stable=True)
    columns = (order.tolist(), owners[order].tolist(), distances[order].tolist())
    return list(zip(*columns, strict=True))
