"""Variety of the generated images within each class."""

import math

from torch import Tensor

from gan.metrics.distances import nearest
from gan.metrics.neighbours import overlap, subsample
from gan.metrics.within_classes import WithinClasses


def spacing(pool: Tensor) -> float:
    """Return the mean distance of features (N, F) to the nearest other row, N 2 or more."""
    return float(nearest(pool, pool, 2)[0][:, 1].double().mean())


class ClassVariety(WithinClasses):
    """Variety and coverage within each class, by the labels that fakes were conditioned on.

    Key "class_variety/3" is the mean distance of a fake of class 3 to the nearest other fake of
    the class, divided by that of equally many real images: about 1 where fakes vary like real
    images, 0 for copies of a few images, above 1 for noise. NaN where the real ones are
    copies. "class_coverage/3" is the coverage of
    :class:`~gan.metrics.neighbours.Overlap` within the class, in [0, 1]. "class_variety" and
    "class_coverage" are the means over the classes.

    The mean distance of all pairs would not fall for a class of a few images. Both values depend
    on the number of images; that of the smaller side is taken on both.

    Args:
        k: neighbours of the coverage; classes of no more images on one side are left out.

    Raises:
        InputError: fewer than one neighbour.
    """

    name = "class_variety"
    ranking = ("class_variety", "class_coverage")
    higher_is_better = True

    def __init__(self, k: int = 5) -> None:
        super().__init__(k)

    def values_of_class(self, fakes: Tensor, reals: Tensor) -> dict[str, float]:
        """Return the values of one class from features (N, F) and (M, F)."""
        count = min(len(fakes), len(reals))
        fakes, reals = subsample(fakes, count), subsample(reals, count)
        between = spacing(reals)
        return {
            "class_variety": spacing(fakes) / between if between else math.nan,
            "class_coverage": overlap(fakes, reals, self.k, self.k).coverage,
        }
