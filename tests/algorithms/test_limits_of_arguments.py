"""The ends of the ranges of arguments: the last value that is taken, and the first that is not."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from gan.algorithms.pool import ImagePool
from gan.algorithms.projection import Projection
from gan.algorithms.sampling import Langevin
from gan.algorithms.styles import layer_range
from gan.algorithms.tiles import TiledTranslation
from gan.augment.ada import ADA
from gan.augment.apa import APA
from gan.augment.diffaugment import DiffAugment
from gan.augment.flip_shift import FlipShift
from gan.augment.pipeline import Pipeline
from gan.averaging import ExponentialAverage
from gan.latents import Codes, Gaussian, Truncated, Uniform
from gan.layers.deviation import MinibatchStdDev
from gan.schedules import Cosine, Growth, Linear

Make = Callable[..., Any]
TINY = 1e-9
KINDS = ("blit", "geometric", "colour", "filtering", "noise", "cutout")
TILED = partial(TiledTranslation, lambda x: x)
CASES: list[tuple[str, Make, str, list[Any], list[Any]]] = [
    ("ada", partial(ADA, target=None), "p", [0.0, 1.0], [-TINY, 1 + TINY]),
    ("ada", ADA, "target", [-1 + TINY, 0.0, 1 - TINY, None], [-1.0, 1.0]),
    ("ada", ADA, "interval", [1], [0, -1]),
    ("ada", ADA, "images", [1], [0, -1]),
    ("apa", partial(APA, target=None), "p", [0.0, 1.0], [-TINY, 1 + TINY]),
    ("diffaugment", DiffAugment, "p", [0.0, 1.0], [-TINY, 1 + TINY]),
    ("flip_shift", FlipShift, "ratio", [0.0, 0.5], [-TINY, 0.5 + TINY]),
    *(("pipeline", Pipeline, kind, [0.0, 5.0], [-TINY, math.nan]) for kind in KINDS),
    ("average", ExponentialAverage, "half_life", [TINY], [0, -TINY]),
    ("average", ExponentialAverage, "ramp", [TINY, None], [0.0, -TINY]),
    ("average", ExponentialAverage, "start", [0, 1], [-1, -TINY]),
    ("pool", partial(ImagePool, channels=1, resolution=2), "size", [0, 1], [-1]),
    ("projection", Projection, "steps", [1], [0, -1]),
    ("projection", partial(Projection, 1), "seed", [0, 1], [-1]),
    ("langevin", Langevin, "steps", [1], [0, -1]),
    ("langevin", partial(Langevin, 1), "step_size", [TINY], [0.0, math.inf, math.nan]),
    ("layers", partial(layer_range, layers=4), "given", [[0, 0], [3, 3], [0, 3], None],
     [[0, 4], [-1, 3], [2, 1], [1], [0, 1, 2]]),
    ("tiles", partial(TILED, overlap=0), "tile", [1], [0, -1]),
    ("tiles", partial(TILED, 4), "overlap", [0, 3], [-1, 4]),
    ("gaussian", Gaussian, "dim", [1], [0, -1]),
    ("uniform", Uniform, "dim", [1], [0, -1]),
    ("truncated", partial(Truncated, Gaussian(2)), "threshold", [TINY, math.inf],
     [0.0, -TINY, math.nan]),
    ("codes", partial(Codes, 9, continuous=1), "categories", [(2,), (3, 4), ()], [(1,), (2, 0)]),
    ("codes", partial(Codes, 9, (2,)), "continuous", [0, 1, 6], [-1, 7]),
    ("codes", partial(Codes, categories=(4,), continuous=2), "dim", [7], [6, 5, 0]),
    ("codes", partial(Codes, 9, ()), "continuous", [1], [0]),
    ("deviation", MinibatchStdDev, "size", [1, 2], [0, -1]),
    *(("ramp", partial(kind, end=5), "begin", [0, 4], [-1, 5, 6]) for kind in (Linear, Cosine)),
    ("growth", partial(Growth, 32), "start", [4, 8, 16, 32], [2, 3, 5, 6, 12]),
    ("growth", partial(Growth, 32, fade=1), "stable", [0, 1], [-1]),
    ("growth", partial(Growth, 32, stable=1), "fade", [0, 1], [-1]),
    ("growth", partial(Growth, 32, stable=0), "fade", [1], [0]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "argument", "taken", "refused"),
    [case[1:] for case in CASES],
    ids=[f"{case[0]}-{case[2]}" for case in CASES],
)
def test_the_last_value_is_taken_and_the_next_refused(
    make: Make, argument: str, taken: list[Any], refused: list[Any]
) -> None:
    """InputError is a ValueError, too."""
    for value in taken:
        make(**{argument: value})
    for value in refused:
        with pytest.raises(ValueError, match=r"\S"):
            make(**{argument: value})
