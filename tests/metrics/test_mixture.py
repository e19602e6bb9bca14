import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from gan.backbones.plane import PlaneBackbone
from gan.errors import InputError
from gan.metrics.feature_metric import Role
from gan.metrics.high_quality import PlaneModes
from gan.metrics.misplaced import Misplaced
from gan.metrics.mixture import MixtureMetric
from tests.metrics.tiny_data import Corners, TinyDataset, TinySplit, tiny_dataset

CENTRES = torch.tensor([[0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5]])
STD = 0.01


@dataclass
class Cross(TinyDataset):
    """A mixture of four modes."""

    splits: dict[str, TinySplit] = field(
        default_factory=lambda: {"train": TinySplit(CENTRES[:, :, None, None], torch.arange(4))}
    )
    name: str = "cross"
    resolution: int = 1
    num_classes: int = 4
    centres: Tensor = field(default_factory=lambda: CENTRES)
    std: float = STD


def backbone() -> PlaneBackbone:
    prepared = PlaneBackbone()
    prepared.prepare(Cross(), torch.device("cpu"))
    return prepared


def points(labels: Tensor, distance: float) -> Tensor:
    """Points (B, 2, 1, 1) as many standard deviations from their centres, in all directions."""
    angles = torch.arange(len(labels)) * 2.4
    offsets = torch.stack([angles.cos(), angles.sin()], 1)
    return (CENTRES[labels] + distance * STD * offsets)[:, :, None, None]


def draws(count: int) -> Tensor:
    noise = torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
    return (CENTRES[torch.arange(count) % 4] + STD * noise)[:, :, None, None]


def measured(metric: MixtureMetric, *fakes: Tensor) -> dict[str, float]:
    plane = backbone()
    metric.begin(sum(map(len, fakes)))
    for part in fakes:
        metric.update(plane(part), Role.FAKE)
        metric.update(plane(-part), Role.REAL)
    return metric.compute()


def test_features_are_the_points_and_logits_their_log_densities() -> None:
    drawn = torch.tensor([[0.123456789, -1.2], [0.5, 0.03]])[:, :, None, None]
    pool, logits, labels = backbone()(drawn)
    assert pool.equal(drawn.flatten(1))
    expected = -(torch.cdist(drawn.flatten(1).double(), CENTRES.double()) ** 2) / (2 * STD**2)
    torch.testing.assert_close(logits.double(), expected, rtol=1e-5, atol=1e-5)
    assert logits[1, 0].item() == pytest.approx(-4.5, rel=1e-5)
    assert labels.tolist() == [-1, -1]


def test_the_modes_are_hashed_as_weights() -> None:
    first, second, other = backbone(), backbone(), PlaneBackbone()
    other.prepare(Cross(std=0.02), torch.device("cpu"))
    assert first.weights_hash == second.weights_hash != other.weights_hash
    first.prepare(Cross(std=0.02), torch.device("cpu"))
    assert first.weights_hash == other.weights_hash


def test_images_are_refused() -> None:
    with pytest.raises(InputError, match="tiny holds images; use data=ring"):
        PlaneBackbone().prepare(tiny_dataset(), torch.device("cpu"))


@pytest.mark.parametrize(("distance", "quality"), [(0.0, 1.0), (2.99, 1.0), (3.01, 0.0)])
def test_quality_ends_at_three_standard_deviations(distance: float, quality: float) -> None:
    fakes = points(torch.arange(40) % 4, distance)
    assert measured(PlaneModes(), fakes) == {"modes": 4 * quality, "high_quality": quality}


def test_a_mode_needs_one_sample_of_high_quality() -> None:
    fakes = points(torch.tensor([0, 0, 0, 2]), 1), points(torch.tensor([1, 1, 3, 3]), 4)
    assert measured(PlaneModes(), *fakes) == {"modes": 2, "high_quality": 0.5}


def test_samples_of_the_mixture_itself() -> None:
    fakes = draws(40_000)
    values = measured(PlaneModes(), *torch.split(fakes, 999))
    assert values["modes"] == 4
    assert values["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.002)
    assert measured(Misplaced(), fakes)["misplaced"] < 0.002


@pytest.mark.parametrize("m", [1, 2, 3])
def test_lost_modes_are_misplaced(m: int) -> None:
    fakes = points(torch.arange(12) % m, 0)
    covered = (1 - math.exp(-4.5)) / 4 * m
    assert measured(Misplaced(), fakes)["misplaced"] == pytest.approx(1 - covered, rel=1e-6)


def test_far_samples_are_misplaced() -> None:
    fakes = points(torch.arange(12) % 4, 9)
    assert measured(Misplaced(), fakes)["misplaced"] == pytest.approx(1 - math.exp(-4.5), rel=1e-6)


def test_new_fakes_replace_the_old() -> None:
    metric = PlaneModes()
    measured(metric, points(torch.arange(12) % 4, 0))
    assert measured(metric, points(torch.arange(12) % 2, 0))["modes"] == 2


@pytest.mark.parametrize("kind", [PlaneModes, Misplaced])
def test_other_backbones_have_no_such_modes(kind: type[MixtureMetric]) -> None:
    assert "corners has no modes" in str(kind().incompatibility(Corners(), tiny_dataset(), False))
    assert kind().incompatibility(backbone(), Cross(), False) is None
