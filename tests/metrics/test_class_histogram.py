import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.class_divergence import ClassDivergence
from gan.metrics.class_histogram import ClassHistogram
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.label_consistency import LabelConsistency
from gan.metrics.modes import Modes
from tests.metrics.tiny_data import Corners, domain, features, tiny_dataset


def scores(classes: Tensor, num_classes: int) -> Tensor:
    """Logits (B, K) whose argmax are `classes`, undecided otherwise."""
    noise = torch.rand(len(classes), num_classes, generator=torch.Generator().manual_seed(0))
    return noise + 2 * torch.nn.functional.one_hot(classes, num_classes)


def update(
    metric: FeatureMetric, classes: Tensor, num_classes: int, role: Role, labels: Tensor | None
) -> None:
    logits = scores(classes, num_classes)
    parts = [torch.split(part, 7) for part in (logits, classes if labels is None else labels)]
    for rows, y in zip(*parts, strict=True):
        metric.update(features(rows, rows, None if labels is None else y), role)


def measured(metric: FeatureMetric, fakes: Tensor, reals: Tensor, k: int) -> dict[str, float]:
    update(metric, reals, k, Role.REAL, None)
    update(metric, fakes.flip(0), k, Role.UNSEEN, None)
    metric.begin(len(fakes))
    update(metric, fakes, k, Role.FAKE, None)
    return metric.compute()


def kl(fakes: Tensor, reals: Tensor, k: int) -> float:
    return measured(ClassDivergence(), fakes, reals, k)["class_kl"]


@pytest.mark.parametrize("m", [1, 3, 10])
def test_m_of_k_equal_classes(m: int) -> None:
    fakes, reals = torch.arange(20 * m) % m, torch.arange(500) % 10
    assert kl(fakes, reals, 10) == pytest.approx(math.log(10 / m), abs=1e-12)
    values = measured(Modes(), fakes, reals, 10)
    assert values == {"modes": m, "mode_coverage": pytest.approx(m / 10)}


def test_the_divergence_is_weighted_by_the_fakes() -> None:
    fakes, reals = torch.tensor([0] * 3 + [1]), torch.tensor([0] * 199 + [1] * 599)
    expected = 0.75 * math.log(0.75 / 0.25) + 0.25 * math.log(0.25 / 0.75)
    assert kl(fakes, reals, 2) == pytest.approx(expected, rel=1e-12)


def test_a_class_without_real_images_has_a_small_probability_and_is_no_mode() -> None:
    fakes, reals = torch.tensor([0, 2, 2]), torch.tensor([0] * 50 + [1] * 47)
    p = torch.tensor([51, 48, 1]) / 100
    expected = math.log(1 / 3 / float(p[0])) / 3 + 2 * math.log(2 / 3 / float(p[2])) / 3
    value = kl(fakes, reals, 3)
    assert value == pytest.approx(expected, rel=1e-6)
    assert "Infinity" not in json.dumps(value)
    assert measured(Modes(), fakes, reals, 3) == {"modes": 1, "mode_coverage": 0.5}


def test_samples_of_one_distribution_are_near_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    reals = torch.randint(100, (100_000,), generator=generator)
    fakes = torch.randint(100, (5_000,), generator=generator)
    assert kl(fakes, reals, 100) == pytest.approx(99 / (2 * 5_000), rel=0.3)


@pytest.mark.parametrize("metric", [Modes, ClassDivergence])
def test_new_fakes_replace_the_old_and_real_states_stay(metric: type[ClassHistogram]) -> None:
    used, fresh = metric(), metric()
    reals, fakes = torch.arange(30) % 5, torch.tensor([1, 1, 3])
    measured(used, torch.arange(10) % 5, reals, 5)
    used.begin(len(fakes))
    update(used, fakes, 5, Role.FAKE, None)
    assert used.compute() == measured(fresh, fakes, reals, 5)


def test_both_share_the_counts_of_the_reals() -> None:
    modes, divergence = Modes(), ClassDivergence()
    assert modes.cache_key == divergence.cache_key
    reals = torch.arange(30) % 5
    update(modes, reals, 5, Role.REAL, None)
    state = modes.real_state(Role.REAL)
    assert state["counts"].dtype == torch.int64  # type: ignore[union-attr]
    divergence.load_real_state(Role.REAL, state)
    divergence.begin(30)
    update(divergence, reals, 5, Role.FAKE, None)
    assert divergence.compute()["class_kl"] == 0


def test_two_processes_add_up() -> None:
    fakes, reals = torch.tensor([0, 1, 1, 4]), torch.arange(50) % 5
    whole, parts = ClassDivergence(), [ClassDivergence(), ClassDivergence()]
    expected = measured(whole, fakes, reals, 5)
    for metric, share in zip(parts, (fakes[:3], fakes[3:]), strict=True):
        owner = metric is parts[0]
        metric.load_real_state(Role.REAL, whole.real_state(Role.REAL), owner=owner)
        update(metric, share, 5, Role.FAKE, None)
    for name in ("fake_counts", "real_counts"):
        setattr(parts[0], name, sum(getattr(metric, name) for metric in parts))
    assert parts[0].compute() == expected


def consistency(classes: Tensor, labels: Tensor | None) -> float:
    metric = LabelConsistency()
    metric.begin(len(classes))
    update(metric, classes, 5, Role.FAKE, labels)
    update(metric, classes, 5, Role.REAL, classes)
    return metric.compute()["label_consistency"]


def test_consistency_is_the_fraction_of_hits() -> None:
    classes = torch.arange(40) % 5
    assert consistency(classes, classes) == 1
    assert consistency(classes, (classes + 1) % 5) == 0
    assert consistency(classes, classes.where(classes < 2, 0)) == pytest.approx(0.4)


def test_fakes_without_labels_are_refused() -> None:
    with pytest.raises(InputError, match="unconditional: set conditioning=projection") as caught:
        consistency(torch.arange(5), None)
    assert "\n" not in str(caught.value)


def test_incompatible_backbones_are_named(tmp_path: Path) -> None:
    corners, labelled, dataset = Corners(), domain(tmp_path), tiny_dataset()
    assert "corners does not predict" in str(
        LabelConsistency().incompatibility(corners, dataset, True)
    )
    assert "unconditional" in str(LabelConsistency().incompatibility(labelled, dataset, False))
    assert LabelConsistency().incompatibility(labelled, dataset, True) is None
    assert Modes().incompatibility(corners, dataset, False) is None
    corners.has_logits = False
    assert "no class scores" in str(Modes().incompatibility(corners, dataset, False))
