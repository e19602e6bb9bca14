from statistics import fmean, stdev

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_kid import (
    KEY_METRIC_KID_MEAN,
    KEY_METRIC_KID_STD,
    kid_features_to_metric,
)

from gan.errors import InputError
from gan.metrics.kernel import Discrepancy, KernelDistance, variance
from tests.metrics.tiny_data import measured


def draw(count: int, seed: int, shift: float = 0.0, width: int = 8) -> Tensor:
    """Rectified normals, float64: as skewed as activations."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, width, generator=generator, dtype=torch.float64)
    return (normal + shift).clamp(min=0)


def naive(x: Tensor, y: Tensor) -> float:
    """Unbiased squared discrepancy, pair by pair."""

    def kernel(a: Tensor, b: Tensor) -> float:
        product: float = sum(p * q for p, q in zip(a.tolist(), b.tolist(), strict=True))
        return float((product / len(a) + 1) ** 3)

    def within(z: Tensor) -> float:
        return fmean(kernel(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j)

    return within(x) + within(y) - 2 * fmean(kernel(a, b) for a in x for b in y)


def repeated(
    count: int, reals: int, size: int, shift: float, repetitions: int, subsets: int
) -> list[dict[str, float]]:
    """The values of independent draws."""
    return [
        measured(
            KernelDistance(subsets, size),
            draw(count, 2 * i, shift),
            real=draw(reals, 2 * i + 1),
        )
        for i in range(repetitions)
    ]


def test_of_all_images_is_the_double_sum() -> None:
    x, y = draw(12, 0, 0.5), draw(12, 1)
    values = measured(KernelDistance(3, 12), x, real=y)
    assert values["kid"] == pytest.approx(naive(x, y), rel=1e-12)
    assert values["kid_std"] == pytest.approx(0, abs=1e-12)


def test_of_sides_of_different_size_is_the_double_sum() -> None:
    x, y = draw(9, 0, 0.5), draw(13, 1)
    assert float(Discrepancy(x, y).value()) == pytest.approx(naive(x, y), rel=1e-12)


def test_known_points() -> None:
    """Four times 0 and four times 1 on a line: k(0, 0) = k(0, 1) = 1, k(1, 1) = 8."""
    x, y = torch.zeros(4, 1), torch.ones(4, 1)
    assert measured(KernelDistance(2, 4), x, real=y)["kid"] == 1 + 8 - 2


@pytest.mark.parametrize(("fakes", "reals"), [(60, 60), (60, 200), (200, 60)])
def test_equals_torch_fidelity(fakes: int, reals: int) -> None:
    x, y = draw(fakes, 2, 0.2, width=32), draw(reals, 3, width=32)
    expected = kid_features_to_metric(
        x, y, kid_subsets=20, kid_subset_size=30, rng_seed=2020, verbose=False
    )
    values = measured(KernelDistance(20, 30), x, batch=7, real=y)
    assert values["kid"] == pytest.approx(expected[KEY_METRIC_KID_MEAN], rel=1e-9)
    assert values["kid_std"] == pytest.approx(expected[KEY_METRIC_KID_STD], rel=1e-9)


def test_single_precision_is_enough_of_features() -> None:
    x, y = draw(100, 4, 0.1, width=512), draw(100, 5, width=512)
    doubles = measured(KernelDistance(10, 50), x, real=y)
    singles = measured(KernelDistance(10, 50), x.float(), real=y.float())
    assert singles == pytest.approx(doubles, rel=1e-4)


def test_no_bias_for_equal_distributions() -> None:
    values = [v["kid"] for v in repeated(50, 40, 30, 0.0, 150, 4)]
    assert abs(fmean(values)) < 3 * stdev(values) / len(values) ** 0.5


@pytest.mark.parametrize(
    ("shift", "fakes", "reals", "size", "subsets"),
    [
        (0.0, 200, 200, 50, 8),
        (0.0, 100, 100, 100, 2),
        (0.3, 200, 200, 50, 8),
        (0.3, 100, 400, 50, 3),
        (0.3, 100, 100, 100, 2),
        (1.0, 200, 400, 50, 8),
    ],
)
def test_standard_error_is_the_deviation_over_repetitions(
    shift: float, fakes: int, reals: int, size: int, subsets: int
) -> None:
    found = repeated(fakes, reals, size, shift, 150, subsets)
    observed = stdev(v["kid"] for v in found)
    claimed = fmean(v["kid_se"] ** 2 for v in found) ** 0.5
    assert claimed == pytest.approx(observed, rel=0.3)


def test_spreads_are_unbiased() -> None:
    """Those of few points are on average those of many."""
    generator = torch.Generator().manual_seed(0)

    def mean(size: int, repetitions: int) -> tuple[Tensor, Tensor]:
        points = torch.rand(2, repetitions, size, 2, generator=generator, dtype=torch.float64)
        found = torch.stack(
            [Discrepancy(x.square(), y).spreads() for x, y in zip(*points, strict=True)]
        )
        return found.mean(0), found.var(0) / repetitions

    (few, error), (many, other) = mean(6, 3000), mean(200, 60)
    assert ((few - many).abs() < 3 * (error + other).sqrt()).all()
    assert ((error + other).sqrt() < 0.08 * many).all()


def test_equal_distributions_have_a_standard_error() -> None:
    spreads = torch.tensor([-1.0, -1.0, 1.0, 1.0, 1.0])
    assert float(variance(spreads, 10, 20)) == pytest.approx(2 / 90 + 2 / 380 + 4 / 200)


def test_standard_error_tells_fakes_from_reals() -> None:
    """Of few fakes that spread widely and many reals: V(N, M) with N fakes and M reals."""
    fakes, reals, subsets = 2 * draw(12, 0), draw(40, 1), 6
    choose, spreads = np.random.RandomState(2020), []
    for _ in range(subsets):
        x, y = (pool[choose.choice(len(pool), 12, replace=False)] for pool in (fakes, reals))
        spreads.append(Discrepancy(x, y).spreads())
    x, y, xx, yy, xy = torch.stack(spreads).mean(0).tolist()
    of_all = 4 * x / 12 + 4 * y / 40 + xx / 66 + yy / 780 + xy / 120
    of_one = 4 * x / 12 + 4 * y / 12 + xx / 66 + yy / 66 + xy / 36
    found = measured(KernelDistance(subsets, 12), fakes, real=reals)["kid_se"]
    assert found**2 == pytest.approx((of_all * (subsets - 1) + of_one) / subsets, rel=1e-9)


def test_subsets_shrink_to_the_images_there_are() -> None:
    x, y = draw(20, 6, 0.5), draw(30, 7)
    few, whole = measured(KernelDistance(5), x, real=y), measured(KernelDistance(5, 20), x, real=y)
    assert few == whole
    assert all(np.isfinite(value) for value in few.values())
    assert KernelDistance(5).stamp() == {"kid_subsets": 5, "kid_subset_size": 1000}


def test_collapsed_sides_have_no_error() -> None:
    """All fakes alike, all reals alike: k = 1, 1 and 8."""
    values = measured(KernelDistance(7), torch.ones(20, 3), real=torch.zeros(30, 3))
    assert values == pytest.approx({"kid": 7, "kid_std": 0, "kid_se": 0}, abs=1e-6)


def test_global_generators_are_untouched() -> None:
    np.random.seed(3)
    before, expected = torch.get_rng_state(), np.random.RandomState(3).rand()
    measured(KernelDistance(5, 10), draw(20, 6), real=draw(30, 7))
    assert torch.equal(before, torch.get_rng_state())
    assert np.random.rand() == expected


def test_fewer_than_four_images() -> None:
    with pytest.raises(InputError, match="got 3 generated and 10 real"):
        measured(KernelDistance(), draw(3, 0), real=draw(10, 1))


@pytest.mark.parametrize(("subsets", "size"), [(0, 10), (10, 3)])
def test_numbers_out_of_range(subsets: int, size: int) -> None:
    with pytest.raises(InputError, match=f"subsets={subsets}.* subset_size={size}"):
        KernelDistance(subsets, size)
