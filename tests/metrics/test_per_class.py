import logging

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_prc import (
    KEY_METRIC_PRECISION,
    KEY_METRIC_RECALL,
    prc_features_to_metric,
)

from gan.errors import InputError
from gan.metrics.feature_metric import Role
from gan.metrics.frechet import FrechetDistance
from gan.metrics.per_class import PerClass, frechet_of
from tests.metrics.tiny_data import Corners, features, measured, tiny_dataset

CLASSES = torch.arange(3)


def draw(count: int, seed: int, width: int = 4, shift: float = 0.0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def fid(reals: Tensor, fakes: Tensor) -> float:
    return measured(FrechetDistance(), fakes, real=reals)["fid"]


def values(
    fakes: Tensor, asked: Tensor, reals: Tensor, labels: Tensor, metric: PerClass | None = None
) -> dict[str, float]:
    metric = metric or PerClass()
    metric.update(features(reals, labels=labels), Role.REAL)
    metric.begin(len(fakes))
    for pool, y in zip(torch.split(fakes, 7), torch.split(asked, 7), strict=True):
        metric.update(features(pool, labels=y), Role.FAKE)
    return metric.compute()


@pytest.mark.parametrize(("n", "m"), [(20, 30), (30, 20), (20, 100), (100, 20), (100, 120)])
def test_frechet_of_features_is_that_of_their_moments(n: int, m: int) -> None:
    """Fewer images than the 64 features on one side, the other, both and neither."""
    x, y = draw(n, 0, 64).double(), draw(m, 1, 64, 0.3).double()
    assert float(frechet_of(x, y)) == pytest.approx(fid(x, y), rel=1e-7)


@pytest.mark.parametrize("count", [30, 100])
def test_collapsed_fakes(count: int) -> None:
    """All alike: what remains is the difference of means and the variance of the reals."""
    x, y = draw(count, 0, 64).double(), torch.full((count, 64), 0.5, dtype=torch.float64)
    expected = float((x.mean(0) - 0.5).square().sum() + x.var(0).sum())
    assert float(frechet_of(x, y)) == pytest.approx(expected, rel=1e-9)
    assert float(frechet_of(y, x)) == pytest.approx(expected, rel=1e-9)


def test_means_far_from_zero_are_exact() -> None:
    x, y = draw(20, 0, 64) + 1000, draw(30, 1, 64) + 1000
    expected = float(frechet_of(x.double(), y.double()))
    assert float(frechet_of(x, y)) == pytest.approx(expected, rel=1e-10)


def test_each_class_by_itself() -> None:
    fakes, asked = draw(150, 0), CLASSES.repeat(50)
    reals, labels = draw(240, 1) + CLASSES.repeat(80)[:, None], CLASSES.repeat(80)
    found = values(fakes, asked, reals, labels)
    alone = [fid(reals[labels == c], fakes[asked == c]) for c in range(3)]
    assert [found[f"intra_fid/{c}"] for c in range(3)] == pytest.approx(alone, rel=1e-6)
    assert found["intra_fid"] == pytest.approx(sum(alone) / 3, rel=1e-6)
    assert found["intra_fid/0"] < found["intra_fid/1"] < found["intra_fid/2"]
    assert len(found) == 1 + 3 * 3


def test_precision_and_recall_of_a_class_equal_torch_fidelity() -> None:
    fakes, reals, labels = draw(90, 2, shift=0.5), draw(90, 3), CLASSES.repeat(30)
    found = values(fakes, labels, reals, labels, PerClass(k=2))
    for c in range(3):
        expected = prc_features_to_metric(
            fakes[labels == c], reals[labels == c], prc_neighborhood=2, verbose=False
        )
        assert found[f"precision/{c}"] == pytest.approx(expected[KEY_METRIC_PRECISION])
        assert found[f"recall/{c}"] == pytest.approx(expected[KEY_METRIC_RECALL])


def test_swapped_classes_raise_the_values_within_classes() -> None:
    """The same images under wrong labels: FID 0, intra-FID the distance of the classes."""
    labels = torch.arange(2).repeat(100)
    images = draw(200, 4) + labels[:, None] * 10.0
    assert fid(images, images) == pytest.approx(0, abs=1e-5)
    right, wrong = (
        values(images, labels, images, labels),
        values(images, 1 - labels, images, labels),
    )
    assert right["intra_fid"] == pytest.approx(0, abs=1e-5)
    assert wrong["intra_fid"] == pytest.approx(4 * 10.0**2, rel=0.1)
    assert (right["precision/1"], right["recall/1"]) == (1, 1)
    assert (wrong["precision/1"], wrong["recall/1"]) == (0, 0)


def test_classes_of_few_images_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    labels = torch.tensor([0] * 20 + [1] * 3 + [2] * 4 + [-1] * 9)
    with caplog.at_level(logging.WARNING):
        found = values(draw(36, 5), labels, draw(36, 6), labels)
    assert {key.partition("/")[2] for key in found} == {"", "0", "2"}
    assert found["intra_fid"] == (found["intra_fid/0"] + found["intra_fid/2"]) / 2
    assert "per_class leaves class 1 out: 3 generated and 3 real" in caplog.text


def test_fakes_without_labels() -> None:
    none = torch.full((20,), -1)
    with pytest.raises(InputError, match="conditional model") as caught:
        values(draw(20, 7), none, draw(20, 8), torch.zeros(20, dtype=torch.int64))
    assert "\n" not in str(caught.value)


def test_refused_without_labels() -> None:
    dataset = tiny_dataset()
    assert PerClass().incompatibility(Corners(), dataset, labelled=True) is None
    assert "unconditional" in (PerClass().incompatibility(Corners(), dataset, labelled=False) or "")
    dataset.num_classes = 0
    assert "tiny has no labels" in (
        PerClass().incompatibility(Corners(), dataset, labelled=True) or ""
    )


def test_settings() -> None:
    assert PerClass(2).stamp() == {"per_class_k": 2}
    with pytest.raises(InputError, match="k=0"):
        PerClass(0)
