from math import prod
from statistics import fmean, stdev

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_prc import (
    KEY_METRIC_PRECISION,
    KEY_METRIC_RECALL,
    prc_features_to_metric,
)

from gan.errors import InputError
from gan.metrics.neighbours import Coverage, Neighbours, Overlap, overlap, subsample
from tests.metrics.tiny_data import measured


def draw(count: int, seed: int, width: int = 8, shift: float = 0.0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def line(*places: float) -> Tensor:
    return torch.tensor(places)[:, None]


def naive(fakes: Tensor, reals: Tensor, k: int) -> dict[str, float]:
    """Return density and coverage from each ball."""
    across = (reals.double()[:, None] - fakes.double()).norm(dim=2)
    within = (reals.double()[:, None] - reals.double()).norm(dim=2).sort(1).values[:, k]
    balls = [(row < radius).tolist() for row, radius in zip(across, within, strict=True)]
    return {
        "density": sum(sum(ball) for ball in balls) / k / len(fakes),
        "coverage": fmean(any(ball) for ball in balls),
    }


def test_points_on_a_line() -> None:
    """Radii of the reals 1, 1, 2, 4 and of the fakes 1.5, 1.5, 8, 8."""
    fakes, reals = line(2, 3.5, 12, 20), line(0, 1, 3, 7)
    assert overlap(fakes, reals, 1, 1) == Overlap(0.5, 0.75, 0.75, 0.5)


def test_borders_belong_to_precision_and_recall_alone() -> None:
    """Radii of the reals 1, 1, 2, 2 and of the fakes 9, 9, 3, 3."""
    fakes, reals = line(-1, 8, 20, 23), line(0, 1, 10, 12)
    assert overlap(fakes, reals, 1, 1) == Overlap(0.5, 1, 0, 0)
    assert overlap(reals, fakes, 1, 1)[:2] == (1, 0.5)


def test_the_numbers_of_neighbours_are_two() -> None:
    """Radii of the reals 1, 1, 2, 4, and 3, 2, 3, 6 to the second neighbour."""
    fakes, reals = line(2, 3.5, 12, 20), line(0, 1, 3, 7)
    assert overlap(fakes, reals, 1, 2)[:2] == (0.5, 0.75)
    assert overlap(fakes, reals, 1, 2)[2:] == ((4 + 2 + 1 + 0) / 2 / 4, 1)


def test_disjoint_sets_share_nothing() -> None:
    values = measured(Neighbours(), draw(100, 0), real=draw(100, 1, shift=100))
    assert values == dict.fromkeys(Overlap._fields, 0)


def test_a_set_with_itself() -> None:
    values = measured(Neighbours(), draw(200, 0, 64), real=draw(200, 0, 64))
    assert values == pytest.approx(dict.fromkeys(Overlap._fields, 1))


def test_collapsed_fakes() -> None:
    """Equal fakes, equal to one of the real images."""
    reals = draw(50, 0)
    values = measured(Neighbours(), reals[:1].repeat(50, 1), real=reals)
    assert (values["precision"], values["recall"]) == (1, 1 / 50)
    assert values["coverage"] < 0.5


def test_half_of_the_fakes_are_far() -> None:
    fakes = torch.cat([draw(200, 0, 2), draw(200, 1, 2, shift=100)])
    values = measured(Neighbours(), fakes, real=draw(400, 2, 2))
    assert values["precision"] == pytest.approx(0.5, abs=0.03)
    assert values["density"] == pytest.approx(0.5, abs=0.05)
    assert values["recall"] > 0.9


def test_dropped_modes() -> None:
    """Reals of four modes, fakes of three of them."""
    modes = torch.eye(4) * 100
    reals = draw(400, 0, 4) + modes[torch.arange(400) % 4]
    fakes = draw(400, 1, 4) + modes[torch.arange(400) % 3]
    values = measured(Neighbours(), fakes, real=reals)
    assert values["precision"] == pytest.approx(1, abs=0.1)
    assert values["recall"] == pytest.approx(0.75, abs=0.05)
    assert values["coverage"] == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("k", [1, 5])
def test_equal_distributions_have_the_expected_density_and_coverage(k: int) -> None:
    """Density 1; coverage of Naeem et al., 2020, lemma 2, whatever the distribution."""
    n = 50
    found = [measured(Neighbours(3, k), draw(n, 2 * i), real=draw(n, 2 * i + 1)) for i in range(60)]
    missed = prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    for key, expected in (("density", 1), ("coverage", 1 - missed)):
        values = [v[key] for v in found]
        assert abs(fmean(values) - expected) < 3 * stdev(values) / len(values) ** 0.5


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize(("count", "width"), [(50, 2), (300, 64), (200, 2048)])
def test_precision_and_recall_equal_torch_fidelity(count: int, width: int, k: int) -> None:
    fakes, reals = draw(count, 3, width, 0.1), draw(count, 4, width)
    expected = prc_features_to_metric(fakes, reals, prc_neighborhood=k, verbose=False)
    values = measured(Neighbours(precision_k=k), fakes, batch=7, real=reals)
    assert values["precision"] == pytest.approx(expected[KEY_METRIC_PRECISION], rel=1e-6)
    assert values["recall"] == pytest.approx(expected[KEY_METRIC_RECALL], rel=1e-6)


@pytest.mark.parametrize("k", [1, 5])
def test_density_and_coverage_ball_by_ball(k: int) -> None:
    fakes, reals = draw(80, 5, 4, 0.5), draw(80, 6, 4)
    values = measured(Neighbours(coverage_k=k), fakes, real=reals)
    assert {key: values[key] for key in ("density", "coverage")} == pytest.approx(
        naive(fakes, reals, k), rel=1e-6
    )


def test_coverage_alone_is_that_of_the_four_and_has_their_protocol() -> None:
    fakes, reals = draw(80, 5, 4, 0.5), draw(80, 6, 4)
    four = measured(Neighbours(2, 4), fakes, real=reals)
    assert measured(Coverage(2, 4), fakes, real=reals) == {"coverage": four["coverage"]}
    assert Coverage(2, 4).stamp() == Neighbours(2, 4).stamp()


@pytest.mark.parametrize("chunk", [7, 33, 100])
def test_chunks_change_nothing(chunk: int) -> None:
    fakes, reals = draw(100, 7, 4, 0.5), draw(100, 8, 4)
    assert overlap(fakes, reals, 3, 5, chunk) == overlap(fakes, reals, 3, 5)


def test_sides_are_equally_many() -> None:
    few, many = draw(60, 9, 4, 0.5), draw(150, 10, 4)
    chosen = many[torch.from_numpy(np.random.RandomState(2020).permutation(150)[:60])]
    assert measured(Neighbours(), few, real=many) == overlap(few, chosen, 3, 5)._asdict()
    assert measured(Neighbours(), many, real=few) == overlap(chosen, few, 3, 5)._asdict()
    assert subsample(few, 60) is few


def test_settings_are_stamped() -> None:
    assert Neighbours(2, 4).stamp() == {
        "precision_k": 2,
        "coverage_k": 4,
        "neighbours_reals": "as many as fakes",
    }


def test_no_more_images_than_neighbours() -> None:
    with pytest.raises(InputError, match=r"5 neighbours need 6 .* got 5 generated and 9 real"):
        measured(Neighbours(), draw(5, 0), real=draw(9, 1))


@pytest.mark.parametrize("ks", [(0, 5), (3, 0)])
def test_no_neighbours(ks: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"precision_k={ks[0]} and coverage_k={ks[1]}"):
        Neighbours(*ks)
