from statistics import fmean

import numpy as np
import pytest
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.feature_metric import Role, State
from gan.metrics.frechet import FrechetDistance, frechet_distance
from gan.metrics.frechet_infinity import FrechetInfinity
from tests.metrics.tiny_data import features, measured

WIDTH = 48
SCALES = torch.linspace(0, 2, WIDTH, dtype=torch.float64).neg().exp()  # variances of the reals
SHIFT = 0.02


def fakes(count: int, seed: int) -> Tensor:
    """Of variances 1.2 times those of the reals, with another mean."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, WIDTH, generator=generator, dtype=torch.float64)
    return normal * (1.2 * SCALES).sqrt() + SHIFT


def gaussian() -> dict[str, State]:
    """The state of reals whose moments are known exactly."""
    count = torch.tensor(1e6, dtype=torch.float64)
    return {
        "count": count,
        "sum": torch.zeros(WIDTH, dtype=torch.float64),
        "outer": SCALES.diag() * (count - 1),
    }


def against_the_gaussian(metric: FrechetDistance, pool: Tensor) -> float:
    metric.load_real_state(Role.REAL, gaussian())
    (value,) = measured(metric, pool).values()
    return value


def test_smaller_error_than_fid() -> None:
    true = WIDTH * SHIFT**2 + float(SCALES.sum()) * (1.2**0.5 - 1) ** 2
    pools = [fakes(1000, seed) for seed in range(8)]
    errors = [against_the_gaussian(FrechetInfinity(), pool) - true for pool in pools]
    biases = [against_the_gaussian(FrechetDistance(), pool) - true for pool in pools]
    assert all(abs(e) < abs(b) for e, b in zip(errors, biases, strict=True))
    assert abs(fmean(errors)) < 0.15 * fmean(biases)


def test_the_line_through_fid_of_random_parts() -> None:
    generator = torch.Generator().manual_seed(0)
    reals, pool = torch.randn(2, 300, 6, generator=generator, dtype=torch.float64)
    rng, counts, values = np.random.RandomState(2020), [100, 150, 200, 250, 300], []
    for count in counts:
        part = pool[torch.from_numpy(rng.permutation(300)[:count])]
        moments = (m for x in (reals, part) for m in (x.mean(0), x.T.cov()))
        values.append(float(frechet_distance(*moments)))
    design = np.stack([np.ones(5), 1 / np.array(counts)], 1)
    intercept = np.linalg.lstsq(design, np.array(values), rcond=None)[0][0]
    metric = FrechetInfinity(points=5, least=1 / 3)
    assert measured(metric, pool, batch=70, real=reals) == pytest.approx(
        {"fid_infinity": intercept}, rel=1e-8
    )


def test_reals_are_those_of_fid() -> None:
    generator = torch.Generator().manual_seed(1)
    reals, pool = torch.randn(2, 100, 4, generator=generator)
    fid, other = FrechetDistance(), FrechetInfinity()
    fid.update(features(reals), Role.REAL)
    other.load_real_state(Role.REAL, fid.real_state(Role.REAL))
    assert other.cache_key == fid.cache_key
    assert measured(other, pool) == measured(FrechetInfinity(), pool, real=reals)


def test_begin_resets_the_fakes() -> None:
    generator = torch.Generator().manual_seed(2)
    reals, first, second = torch.randn(3, 100, 4, generator=generator)
    metric = FrechetInfinity()
    measured(metric, first, real=reals)
    assert measured(metric, second) == measured(FrechetInfinity(), second, real=reals)


def test_settings_are_stamped() -> None:
    assert FrechetInfinity(5, 0.1).stamp() == {
        "fid_infinity_points": 5,
        "fid_infinity_least": 0.1,
    }


@pytest.mark.parametrize(("points", "least"), [(1, 0.5), (15, 0.0), (15, 1.0)])
def test_numbers_out_of_range(points: int, least: float) -> None:
    with pytest.raises(InputError, match=f"points={points} must .*least={least}"):
        FrechetInfinity(points, least)


@pytest.mark.parametrize("count", [1, 2])
def test_two_fakes_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"more than {count} generated"):
        measured(FrechetInfinity(), torch.rand(count, 3), real=torch.rand(9, 3))


def test_three_fakes_are_measured() -> None:
    assert measured(FrechetInfinity(points=2), torch.rand(3, 3), real=torch.rand(9, 3))
