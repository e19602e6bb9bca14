"""Comparisons of images with targets, cycles and classes against closed forms."""

from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from gan.backbones.base import NO_LABEL, Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.metrics.class_kept import ClassKept
from gan.metrics.feature_metric import Role
from gan.metrics.outputs import Outputs
from gan.metrics.paired import (
    CycleError,
    PairMetric,
    PerceptualDistance,
    SignalNoiseRatio,
    StructuralSimilarity,
)

DRAW = torch.Generator().manual_seed(0)


class Means(Backbone):
    """Features are the means of the rows of an image."""

    name, num_features, resize = "means", 32, "none"

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Do nothing."""

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pool = images.float().mean((1, 3))
        return pool, pool


def pictures(channels: int = 3) -> tuple[Tensor, Tensor]:
    """Return images of 8 bits and noisy ones."""
    levels = torch.randint(256, (4, channels, 32, 32), generator=DRAW)
    noisy = (levels + torch.randint(-40, 41, levels.shape, generator=DRAW)).clamp(0, 255)
    return levels / 127.5 - 1, noisy / 127.5 - 1


def value(metric: PairMetric, outputs: Outputs) -> float:
    """Return the value of a metric of two batches."""
    metric.begin(len(outputs.images))
    for part in (outputs.rows(slice(0, 1)), outputs.rows(slice(1, None))):
        metric.compare(part, Means()(part.images), Means())
    (result,) = metric.compute().values()
    return result


def levels(images: Tensor) -> Any:
    """Return the 8-bit pixels (B, H, W, C) of images."""
    return images.add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_and_ssim_are_those_of_scikit_image(channels: int) -> None:
    target, noisy = pictures(channels)
    outputs = Outputs(noisy, target=target)
    pairs = [*zip(levels(target), levels(noisy), strict=True)]
    ratio = np.mean(
        [peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs]  # type: ignore[no-untyped-call]
    )
    assert value(SignalNoiseRatio(), outputs) == pytest.approx(ratio, rel=1e-5)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity = np.mean(
        [structural_similarity(a, b, channel_axis=2, data_range=255, **options) for a, b in pairs]  # type: ignore[no-untyped-call]
    )
    assert value(StructuralSimilarity(), outputs) == pytest.approx(similarity, abs=2e-3)


def test_equal_images() -> None:
    target, _ = pictures()
    outputs = Outputs(target, target=target)
    assert value(SignalNoiseRatio(), outputs) == 100
    assert value(StructuralSimilarity(), outputs) == pytest.approx(1, abs=1e-6)
    assert value(PerceptualDistance(), outputs) == pytest.approx(0, abs=1e-6)


def test_the_perceptual_distance_is_that_of_directions() -> None:
    target, noisy = pictures()
    a, b = (Means()(images).pool.double() for images in (noisy, target))
    cosine = torch.nn.functional.cosine_similarity(a, b)
    expected = float((2 - 2 * cosine).mean())
    assert value(PerceptualDistance(), Outputs(noisy, target=target)) == pytest.approx(expected)


def test_the_cycle_error_is_a_mean_absolute_difference() -> None:
    source, cycle = pictures()
    outputs = Outputs(torch.zeros_like(source), source=source, cycle=cycle)
    assert value(CycleError(), outputs) == pytest.approx(float((source - cycle).abs().mean()))


def classes(metric: ClassKept, given: list[int], named: list[int]) -> None:
    """Add the classes of sources and those of their outputs."""
    logits = torch.nn.functional.one_hot(torch.tensor(named), 3).float()
    metric.update(Features(logits, logits, torch.tensor(given)), Role.FAKE)


def test_classes_are_kept_under_the_best_map() -> None:
    metric = ClassKept()
    metric.begin(6)
    classes(metric, [0, 0, 1], [2, 2, 1])
    classes(metric, [1, 2, 2], [1, 0, 2])
    assert metric.compute() == pytest.approx({"class_kept": 5 / 6, "class_same": 3 / 6})


def test_the_classes_of_several_processes() -> None:
    """Their pairs are one tensor once they are gathered."""
    metric = ClassKept()
    metric.begin(3)
    classes(metric, [0, 1, 2], [0, 1, 0])
    metric.pairs = torch.cat([*metric.pairs])  # type: ignore[assignment]
    assert metric.compute() == pytest.approx({"class_kept": 2 / 3, "class_same": 2 / 3})


def test_classes_of_real_images_and_without_labels_do_not_count() -> None:
    metric = ClassKept()
    metric.begin(2)
    classes(metric, [0, 1], [0, 1])
    logits = torch.eye(3)
    metric.update(Features(logits, logits, torch.zeros(3).long()), Role.REAL)
    metric.update(Features(logits, logits, torch.full((3,), NO_LABEL)), Role.FAKE)
    assert metric.compute()["class_same"] == 1
