"""Names of classes in the order of their labels."""

import pytest

from datamodules.base import ImageDataModule
from datamodules.cifar10 import CIFAR10
from datamodules.cifar100 import CIFAR100
from datamodules.digits import Digits
from datamodules.fashion_mnist import FashionMNIST
from datamodules.kmnist import KMNIST
from datamodules.mnist import MNIST
from datamodules.plane import Grid, Ring
from datamodules.stacked_mnist import StackedMNIST
from datamodules.stl10 import STL10
from datamodules.svhn import SVHN
from datamodules.synthetic import Synthetic
from datamodules.usps import USPS

SOME = [
    *((kind, 10, {0: "0", 7: "7", 9: "9"}) for kind in (Digits, MNIST, SVHN, USPS)),
    (FashionMNIST, 10, {0: "T-shirt/top", 9: "Ankle boot"}),
    (KMNIST, 10, {0: "o", 3: "tsu", 9: "wo"}),
    (CIFAR10, 10, {0: "airplane", 3: "cat", 9: "truck"}),
    (CIFAR100, 100, {0: "apple", 19: "cattle", 47: "maple_tree", 72: "seal", 99: "worm"}),
    (STL10, 10, {1: "bird", 2: "car", 7: "monkey"}),
    (StackedMNIST, 1000, {7: "007", 345: "345"}),
    (Synthetic, 3, {0: "circle", 2: "triangle"}),
    (Ring, 0, {}),
    (Grid, 0, {}),
]


@pytest.mark.parametrize(("kind", "count", "some"), SOME, ids=lambda value: str(value)[-25:])
def test_class_names(kind: type[ImageDataModule], count: int, some: dict[int, str]) -> None:
    module = kind(channels=3, resolution=8, num_classes=0, batch_size=1)
    assert len(set(module.class_names)) == count
    assert {k: module.class_names[k] for k in some} == some
