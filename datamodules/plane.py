"""Mixtures of Gaussians in the plane."""

import math
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.errors import DataError
from datamodules.split import PointSplit, Split
from datamodules.stream import keyed_generator


class Mixture(ImageDataModule):
    """Points of a mixture of equal, round Gaussians: images with two channels (x, y) and one pixel.

    Point i belongs to mode i modulo K, which is its label, so that the modes have equal numbers of
    points, up to one. Its position depends only on (content_seed, split, i). Points are float32 in
    [-1, 1].

    Args:
        std: standard deviation of each mode along each axis, above 0; points outside [-1, 1] are
            moved to the border.
        train_size: points of "train".
        test_size: points of "test".
        content_seed: seed of the points; `seed` changes only their order.
        arguments: arguments of :class:`ImageDataModule`.

    Raises:
        DataError: if `std` is not positive.
    """

    reads_files = False

    def __init__(
        self,
        *,
        std: float,
        train_size: int = 100_000,
        test_size: int = 10_000,
        content_seed: int = 0,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        if not std > 0:
            raise DataError(f"data.std={std}: must be above 0")
        self.std = std
        self.sizes = dict(zip(self.splits, (train_size, test_size), strict=True))
        self.content_seed = content_seed

    @property
    @abstractmethod
    def centres(self) -> Tensor:
        """Return the means of the modes, float32 (K, 2), in [-1, 1]."""

    def load(self, split: str) -> Split:  # noqa: D102
        random = keyed_generator(self.content_seed, self.splits.index(split))
        offsets = torch.from_numpy(random.standard_normal((self.sizes[split], 2)))
        labels = torch.arange(len(offsets)) % len(self.centres)
        points = (self.centres[labels] + self.std * offsets).float().clamp_(-1, 1)
        return PointSplit(points[:, :, None, None], labels)


class Ring(Mixture):
    """Eight modes on a circle; label k is at angle 2 pi k / 8.

    The ratio of standard deviation and radius is 0.01, as in Metz et al. 2017 (0.02 and 2) and in
    the data of Lin et al. 2018 (PacGAN). Deviation: the radius is 0.8, for points in [-1, 1].

    Source: Metz, Poole, Pfau and Sohl-Dickstein 2017, Unrolled generative adversarial networks;
    as a benchmark: Srivastava, Valkov, Russell, Gutmann and Sutton 2017, VEEGAN.
    """

    name = "ring"

    MODES = 8
    RADIUS = 0.8

    def __init__(self, *, std: float = 0.008, **arguments: Any) -> None:
        super().__init__(std=std, **arguments)

    @property
    def centres(self) -> Tensor:  # noqa: D102
        angles = torch.arange(self.MODES) * (2 * math.pi / self.MODES)
        return self.RADIUS * torch.stack([angles.cos(), angles.sin()], 1)


class Grid(Mixture):
    """Twenty-five modes on a square grid; label 5 i + j is column i and row j.

    The ratio of standard deviation and spacing is 0.025, as in Lin et al. 2018 (0.05 and 2).
    Deviation: the centres are in [-0.8, 0.8], for points in [-1, 1].

    Source: Srivastava, Valkov, Russell, Gutmann and Sutton 2017, VEEGAN; with these numbers: Lin,
    Khetan, Fanti and Oh 2018, PacGAN.
    """

    name = "grid"

    SIDE = 5
    REACH = 0.8

    def __init__(self, *, std: float = 0.01, **arguments: Any) -> None:
        super().__init__(std=std, **arguments)

    @property
    def centres(self) -> Tensor:  # noqa: D102
        line = torch.linspace(-self.REACH, self.REACH, self.SIDE)
        return torch.cartesian_prod(line, line)
