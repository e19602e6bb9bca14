import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.class_variety import ClassVariety, spacing
from gan.metrics.feature_metric import Role
from gan.metrics.neighbours import overlap
from tests.metrics.tiny_data import Corners, features, tiny_dataset


def values(fakes: Tensor, asked: Tensor, reals: Tensor, labels: Tensor, k: int = 2) -> Any:
    metric = ClassVariety(k)
    metric.update(features(reals, labels=labels), Role.REAL)
    metric.begin(len(fakes))
    metric.update(features(fakes, labels=asked), Role.FAKE)
    return metric.compute()


def line(count: int, gap: float, start: float = 0.0) -> Tensor:
    """Points on a line, each at the same distance from the next one."""
    return torch.stack([start + gap * torch.arange(count), torch.zeros(count)], 1)


def test_spacing_of_points_on_a_line_and_on_a_circle() -> None:
    assert spacing(line(7, 0.25)) == pytest.approx(0.25)
    angles = torch.arange(9) * (2 * math.pi / 9)
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    assert spacing(circle) == pytest.approx(2 * math.sin(math.pi / 9), rel=1e-6)
    uneven = torch.tensor([[0.0], [1.0], [4.0]])
    assert spacing(uneven) == pytest.approx((1 + 1 + 3) / 3)


def test_the_ratio_within_each_class_and_its_mean() -> None:
    labels = torch.tensor([0] * 6 + [1] * 6)
    reals = torch.cat([line(6, 2.0), line(6, 3.0, 100.0)])
    fakes = torch.cat([line(6, 1.0), line(6, 4.5, 100.0)])
    found = values(fakes, labels, reals, labels)
    assert found["class_variety/0"] == pytest.approx(0.5)
    assert found["class_variety/1"] == pytest.approx(1.5)
    assert found["class_variety"] == pytest.approx(1.0)
    coverage = [overlap(fakes[labels == c], reals[labels == c], 2, 2).coverage for c in (0, 1)]
    assert [found[f"class_coverage/{c}"] for c in (0, 1)] == coverage
    assert found["class_coverage"] == pytest.approx(sum(coverage) / 2)
    assert len(found) == 6


def test_a_few_images_a_class_vary_among_classes_alone() -> None:
    """Two copies of each: their distances to one another are those of real images, not within."""
    torch.manual_seed(0)
    labels = torch.arange(3).repeat(40)
    reals = torch.randn(120, 4) + 10 * labels[:, None]
    chosen = reals[torch.arange(120) % 6]
    found = values(chosen, labels, reals, labels)
    assert found["class_variety"] == 0
    assert found["class_coverage"] < 0.2
    assert torch.pdist(chosen).mean() == pytest.approx(float(torch.pdist(reals).mean()), rel=0.1)
    same = values(reals, labels, reals, labels)
    assert (same["class_variety"], same["class_coverage"]) == (1, 1)


def test_as_many_real_images_as_fakes_are_taken() -> None:
    torch.manual_seed(0)
    reals, few = torch.randn(900, 3), torch.randn(30, 3)
    found = values(few, torch.zeros(30).long(), reals, torch.zeros(900).long())
    assert 0.7 < found["class_variety"] < 1.4  # all 900 are four times as dense


def test_real_copies_have_no_ratio() -> None:
    none = torch.zeros(5).long()
    assert math.isnan(values(line(5, 1.0), none, torch.zeros(5, 2), none)["class_variety"])


def test_what_it_needs() -> None:
    dataset = tiny_dataset()
    assert ClassVariety().incompatibility(Corners(), dataset, labelled=True) is None
    assert "unconditional" in str(ClassVariety().incompatibility(Corners(), dataset, False))
    assert ClassVariety(4).stamp() == {"class_variety_k": 4}
    with pytest.raises(InputError, match="k=0"):
        ClassVariety(0)
    with pytest.raises(InputError, match="leave class_variety out"):
        values(line(2, 1.0), torch.zeros(2).long(), line(9, 1.0), torch.zeros(9).long())
