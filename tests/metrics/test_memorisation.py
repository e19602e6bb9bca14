import pytest
import torch
from torch import Tensor

from gan.metrics.distances import nearest
from gan.metrics.feature_metric import Role
from gan.metrics.frechet import FrechetDistance
from gan.metrics.memorisation import Memorisation, rank_score
from tests.metrics.tiny_data import features, measured

WIDTH, MODES = 8, 5


def draw(count: int, seed: int, modes: int = MODES) -> Tensor:
    """Points of a mixture of Gaussians, equally many of each mode."""
    generator = torch.Generator().manual_seed(seed)
    centres = 6 * torch.randn(MODES, WIDTH, generator=torch.Generator().manual_seed(99))
    chosen = torch.arange(count) % modes
    return centres[chosen] + torch.randn(count, WIDTH, generator=generator)


REALS, UNSEEN = draw(600, 1), draw(600, 2)


def values(fakes: Tensor, metric: Memorisation | None = None) -> dict[str, float]:
    return measured(metric or Memorisation(), fakes, 130, real=REALS, unseen=UNSEEN)


@pytest.fixture(scope="module")
def replayed() -> dict[str, float]:
    noise = 0.01 * torch.randn(600, WIDTH, generator=torch.Generator().manual_seed(3))
    return values(REALS + noise)


@pytest.fixture(scope="module")
def fresh() -> dict[str, float]:
    return values(draw(600, 4))


@pytest.fixture(scope="module")
def collapsed() -> dict[str, float]:
    return values(draw(600, 5, modes=1))


def test_every_value_detects_copies(replayed: dict[str, float]) -> None:
    assert replayed["nearest_real"] < replayed["nearest_unseen"] / 1.2
    assert replayed["copies"] > 0.9
    assert replayed["copying_z"] < -15
    assert replayed["authenticity"] == 0
    assert replayed["fid_real_equal"] < replayed["fid_unseen_equal"] / 2
    assert replayed["fid_gap"] > 0.1


def test_new_samples_are_not_detected(fresh: dict[str, float], replayed: dict[str, float]) -> None:
    assert fresh["nearest_real"] == pytest.approx(fresh["nearest_unseen"], rel=0.05)
    assert fresh["copies"] < 0.04
    assert abs(fresh["copying_z"]) < 3
    assert fresh["authenticity"] > 0.4
    assert abs(fresh["fid_gap"]) < replayed["fid_gap"] / 4


def test_mode_collapse_is_not_detected_as_copies(
    collapsed: dict[str, float], fresh: dict[str, float]
) -> None:
    assert collapsed["copies"] < 0.04
    assert abs(collapsed["copying_z"]) < 5
    assert collapsed["authenticity"] > 0.4
    assert collapsed["fid_real_equal"] > 20 * fresh["fid_real_equal"]
    assert collapsed["fid_unseen_equal"] > 20 * fresh["fid_unseen_equal"]


def test_some_copies_among_new_samples_are_counted() -> None:
    mixed = values(torch.cat([REALS[:100], draw(300, 6)]))
    assert mixed["copies"] == pytest.approx(0.25, abs=0.03)
    assert mixed["copying_z"] < -3


def test_suspects_are_the_nearest_fakes_with_their_real_images() -> None:
    metric = Memorisation()
    fakes = draw(300, 7)
    fakes[[17, 250]] = REALS[[555, 3]]
    fakes[250] += 0.01
    values(fakes, metric)
    assert [s[:2] for s in metric.suspects[:2]] == [(17, 555), (250, 3)]
    assert metric.suspects[0][2] == 0
    distances, owners = nearest(fakes, REALS, 1)
    assert len(metric.suspects) == 300
    assert {tuple(map(type, suspect)) for suspect in metric.suspects} == {(int, int, float)}
    for fake, real, distance in metric.suspects:
        assert (real, distance) == (int(owners[fake]), float(distances[fake]))
    assert [s[2] for s in metric.suspects] == sorted(distances.flatten().tolist())


def test_closed_forms() -> None:
    reals = torch.tensor([[0.0], [10.0], [13.0], [20.0]])
    unseen = torch.tensor([[1.0], [12.0], [24.0]])  # 1, 1, 4 away
    fakes = torch.tensor([[0.5], [10.0], [28.0], [16.2]])  # 0.5, 0, 8, 3.2 away
    metric = Memorisation()
    got = measured(metric, fakes, real=reals, unseen=unseen)
    # room of the owners 0, 10, 20, 13 is 10, 3, 7, 3
    assert got["authenticity"] == 0.5
    assert got["copies"] == 0.5
    # wins over 1, 1, 4: 0, 0, 3, 2
    assert got["copying_z"] == pytest.approx((5 - 6) / (4 * 3 * 8 / 12) ** 0.5)
    assert [s[:2] for s in metric.suspects] == [(1, 1), (0, 0), (3, 2), (2, 3)]


def test_rank_score_counts_ties_half() -> None:
    assert rank_score(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])) == 0
    assert rank_score(torch.zeros(5), torch.ones(4)) == pytest.approx(-10 / (20 * 10 / 12) ** 0.5)
    a, b = torch.randn(50), torch.randn(70)
    assert rank_score(a, b) == pytest.approx(-rank_score(b, a))


def test_splits_are_cut_to_equal_numbers() -> None:
    metric = Memorisation()
    reals = torch.cat([UNSEEN, UNSEEN])  # each twice
    got = measured(metric, draw(400, 4), real=reals, unseen=UNSEEN)
    assert got["nearest_real"] > got["nearest_unseen"]
    fid = FrechetDistance()
    expected = measured(fid, draw(400, 4), real=UNSEEN)["fid"]
    assert got["fid_unseen_equal"] == pytest.approx(expected, rel=1e-6)
    assert got["fid_gap"] == got["fid_unseen_equal"] - got["fid_real_equal"]


def test_the_choice_of_images_depends_on_the_seed_and_is_stamped() -> None:
    fakes = draw(100, 4)
    before = torch.get_rng_state()
    first, again, other = (values(fakes, Memorisation(seed)) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert first == again
    assert first["fid_real_equal"] != other["fid_real_equal"]
    assert Memorisation(0).stamp() != Memorisation(1).stamp()


def test_real_images_are_kept_for_the_next_fakes(fresh: dict[str, float]) -> None:
    metric = Memorisation()
    values(REALS[:400], metric)
    metric.begin(600)
    metric.update(features(draw(600, 4)), Role.FAKE)
    assert metric.compute() == fresh


def test_too_few_images() -> None:
    with pytest.raises(ValueError, match="2 images"):
        measured(Memorisation(), draw(1, 0), real=REALS, unseen=UNSEEN)
