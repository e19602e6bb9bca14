import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_fid import (
    KEY_METRIC_FID,
    fid_features_to_statistics,
    fid_statistics_to_metric,
)

from gan.metrics.feature_metric import Role
from gan.metrics.frechet import FrechetDistance, frechet_distance
from tests.metrics.tiny_data import features, measured


def draw(count: int, width: int, seed: int, offset: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator) / width**0.5
    drawn: Tensor = torch.randn(count, width, generator=generator) @ mixing + offset
    return drawn


def fid(reals: Tensor, fakes: Tensor, batch: int = 10_000) -> float:
    return measured(FrechetDistance(), fakes, batch, real=reals)["fid"]


def test_closed_form_of_commuting_covariances() -> None:
    generator = torch.Generator().manual_seed(0)
    axes, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))
    a, b = torch.rand(2, 6, generator=generator, dtype=torch.float64) + 0.1
    mu1, mu2 = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    expected = (mu1 - mu2).square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    value = frechet_distance(mu1, axes @ a.diag() @ axes.T, mu2, axes @ b.diag() @ axes.T)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)


def test_samples_of_known_gaussians_are_near_their_distance() -> None:
    generator = torch.Generator().manual_seed(0)
    reals = torch.randn(50_000, 3, generator=generator)
    fakes = torch.randn(50_000, 3, generator=generator) * torch.tensor([2.0, 1.0, 0.5]) + 1
    assert fid(reals, fakes) == pytest.approx(3 + 1 + 0 + 0.25, rel=0.02)


def test_a_set_with_itself_is_zero() -> None:
    reals = draw(500, 32, 0, 5.0)
    assert 0 <= fid(reals, reals) < 1e-8


@pytest.mark.parametrize(("count", "width"), [(400, 64), (1000, 128)])
def test_equals_torch_fidelity(count: int, width: int) -> None:
    reals, fakes = draw(count, width, 1), draw(count, width, 2, 0.1)
    statistics = [fid_features_to_statistics(x.double()) for x in (reals, fakes)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    assert fid(reals, fakes) == pytest.approx(expected, rel=1e-6)


def test_equals_torch_fidelity_with_fewer_images_than_features() -> None:
    reals, fakes = draw(30, 64, 1), draw(40, 64, 2, 0.1)
    statistics = [fid_features_to_statistics(x.double()) for x in (reals, fakes)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    assert fid(reals, fakes) == pytest.approx(expected, rel=1e-6)


def test_batches_equal_one_batch() -> None:
    reals, fakes = draw(300, 16, 3), draw(200, 16, 4, 1.0)
    assert fid(reals, fakes, batch=7) == pytest.approx(fid(reals, fakes), rel=1e-10)


def test_reset_keeps_the_real_states_only() -> None:
    reals, first, second = draw(100, 8, 5), draw(100, 8, 6), draw(100, 8, 7, 2.0)
    metric = FrechetDistance()
    metric.update(features(reals), Role.REAL)
    metric.update(features(first), Role.FAKE)
    metric.reset()
    metric.update(features(second), Role.FAKE)
    assert metric.compute()["fid"] == pytest.approx(fid(reals, second), rel=1e-12)


def test_a_real_state_moves_to_another_metric() -> None:
    reals, fakes = draw(100, 8, 5), draw(100, 8, 6)
    metric, other = FrechetDistance(), FrechetDistance()
    metric.update(features(reals), Role.REAL)
    other.load_real_state(Role.REAL, metric.real_state(Role.REAL))
    other.update(features(fakes), Role.FAKE)
    assert other.compute()["fid"] == fid(reals, fakes)


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="2 images"):
        fid(draw(10, 4, 0), draw(1, 4, 1))
