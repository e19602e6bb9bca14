import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import (
    KEY_METRIC_ISC_MEAN,
    KEY_METRIC_ISC_STD,
    isc_features_to_metric,
)

from gan.metrics.feature_metric import Role
from gan.metrics.inception_score import InceptionScore
from tests.metrics.tiny_data import features


def score(logits: Tensor, splits: int = 10, batch: int = 10_000) -> tuple[float, float]:
    metric = InceptionScore(splits)
    metric.begin(len(logits))
    for part in torch.split(logits, batch):
        metric.update(features(part, part), Role.FAKE)
    values = metric.compute()
    return values["is"], values["is_std"]


def test_certain_and_varied_predictions_score_the_number_of_classes() -> None:
    logits = torch.eye(5).repeat(20, 1) * 1000
    assert score(logits, splits=1) == pytest.approx((5.0, 0.0))


def test_uniform_predictions_score_one() -> None:
    assert score(torch.zeros(100, 7)) == pytest.approx((1.0, 0.0))


@pytest.mark.parametrize("batch", [7, 1000])
@pytest.mark.parametrize("count", [100, 137])
def test_equals_torch_fidelity(count: int, batch: int) -> None:
    logits = torch.randn(count, 12, generator=torch.Generator().manual_seed(0)) * 3
    expected = isc_features_to_metric(logits, splits=10, shuffle=True, rng_seed=2020)
    mean, deviation = score(logits, batch=batch)
    assert mean == pytest.approx(expected[KEY_METRIC_ISC_MEAN], rel=1e-9)
    assert deviation == pytest.approx(expected[KEY_METRIC_ISC_STD], rel=1e-9)


def test_a_later_process_uses_its_own_parts() -> None:
    logits = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)) * 2
    shares = [InceptionScore(splits=3) for _ in range(2)]
    for metric, start in zip(shares, (0, 25), strict=True):
        metric.begin(60, start)
    shares[0].update(features(logits[:25], logits[:25]), Role.FAKE)
    shares[1].update(features(logits[25:], logits[25:]), Role.FAKE)
    for state in ("sum_p", "sum_p_log_p", "count"):
        setattr(shares[0], state, getattr(shares[0], state) + getattr(shares[1], state))
    assert shares[0].compute()["is"] == pytest.approx(score(logits, 3)[0], rel=1e-12)


def test_real_images_are_ignored_and_the_global_rng_is_unchanged() -> None:
    logits = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    metric = InceptionScore(splits=3)
    before = torch.get_rng_state()
    metric.begin(60)
    for part in torch.split(logits, 7):
        metric.update(features(part, part), Role.FAKE)
        metric.update(features(part, part * 9), Role.REAL)
    values = metric.compute()
    assert torch.equal(before, torch.get_rng_state())
    assert (values["is"], values["is_std"]) == pytest.approx(score(logits, 3), rel=1e-12)


def test_fewer_images_than_splits_are_a_split_each() -> None:
    assert score(torch.randn(3, 4)) == pytest.approx((1.0, 0.0))
