"""Domain classifiers of published data sets, trained from random weights."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torchvision.datasets import CIFAR10, MNIST

from gan.backbones.domain import DomainBackbone
from tests.metrics.tiny_data import TinyDataset, TinySplit, evaluation


class UncheckedCIFAR10(CIFAR10):  # type: ignore[misc]
    def _check_integrity(self) -> bool:
        return True

    def _load_meta(self) -> None:
        pass


def mnist() -> TinyDataset:
    splits = {}
    for split in ("train", "test"):
        data = MNIST("data/mnist", train=split == "train")
        splits[split] = TinySplit(data.data[:, None], data.targets)
    return TinyDataset(splits, "mnist", resolution=28, num_classes=10)


def cifar10() -> TinyDataset:
    splits = {}
    for split in ("train", "test"):
        data = UncheckedCIFAR10("data/cifar10", train=split == "train")
        pixels = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
        splits[split] = TinySplit(pixels, torch.tensor(data.targets))
    return TinyDataset(splits, "cifar10", resolution=32, num_classes=10)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    ("build", "accuracy", "seconds"), [(mnist, 0.98, 180), (cifar10, 0.75, 720)]
)
def test_learns_the_real_data_in_time(
    build: Callable[[], TinyDataset], accuracy: float, seconds: float, tmp_path: Path
) -> None:
    try:
        dataset = build()
    except RuntimeError as error:
        pytest.skip(f"{build.__name__} is not unpacked under data/: {error}")
    backbone = DomainBackbone(str(tmp_path))
    start = time.process_time()
    backbone.prepare(dataset, torch.device("cpu"))
    used = time.process_time() - start
    # CPU seconds of two cores
    assert used < 2 * seconds
    assert backbone.accuracy >= accuracy
    result = evaluation(tmp_path, backbone, num_fakes=2000)
    result.prepare(dataset, torch.device("cpu"))
    baseline = result.baseline()
    assert baseline is not None
    print(f"{dataset.name}: {backbone.accuracy:.2%}, {used:.0f} CPU seconds, {baseline}")
