import pytest
import torch
from torch_fidelity.metric_isc import (
    KEY_METRIC_ISC_MEAN,
    KEY_METRIC_ISC_STD,
    isc_features_to_metric,
)

from gan.metrics.backbone import Features
from gan.metrics.inception_score import InceptionScore, inception_score


def test_certain_and_varied_predictions_score_the_number_of_classes() -> None:
    logits = torch.eye(5).repeat(20, 1) * 1000
    assert inception_score(logits) == pytest.approx((5.0, 0.0))


def test_undecided_predictions_score_one() -> None:
    assert inception_score(torch.zeros(100, 7)) == pytest.approx((1.0, 0.0))


@pytest.mark.parametrize("count", [100, 137])
def test_equals_torch_fidelity(count: int) -> None:
    logits = torch.randn(count, 12, generator=torch.Generator().manual_seed(0)) * 3
    expected = isc_features_to_metric(logits, splits=10, shuffle=False)
    mean, deviation = inception_score(logits)
    assert mean == pytest.approx(expected[KEY_METRIC_ISC_MEAN], rel=1e-9)
    assert deviation == pytest.approx(expected[KEY_METRIC_ISC_STD], rel=1e-9)


def test_reals_are_passed_over_and_the_global_rng_is_untouched() -> None:
    logits = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    metric = InceptionScore(splits=3)
    before = torch.get_rng_state()
    for part in torch.split(logits, 7):
        metric.update(Features(part, part), real=False)
        metric.update(Features(part, part * 9), real=True)
    values = metric.compute()
    assert torch.equal(before, torch.get_rng_state())
    assert (values["is"], values["is_std"]) == inception_score(logits, 3)


def test_fewer_images_than_splits_are_a_split_each() -> None:
    assert inception_score(torch.randn(3, 4)) == pytest.approx((1.0, 0.0))
