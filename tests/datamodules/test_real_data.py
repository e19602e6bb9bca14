from pathlib import Path

import pytest
import torch

from datamodules.cifar10 import CIFAR10
from datamodules.errors import DataError
from datamodules.fashion_mnist import FashionMNIST
from datamodules.mnist import MNIST
from datamodules.published import PublishedDataModule
from datamodules.svhn import SVHN

DATA = Path(__file__).parents[2] / "data"

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore:data.verify=false")]


def build(
    kind: type[PublishedDataModule], verify: bool, resolution: int = 32
) -> PublishedDataModule:
    root = DATA / kind.name
    if not root.is_dir():
        pytest.skip(f"{kind.name} is not unpacked in data/")
    channels = 1 if issubclass(kind, MNIST) else 3
    return kind(
        channels=channels,
        resolution=resolution,
        num_classes=10,
        batch_size=64,
        root=str(root),
        verify=verify,
    )


@pytest.mark.parametrize(("kind", "first"), [(MNIST, [5, 0, 4]), (FashionMNIST, [9, 0, 0])])
def test_published_files_are_accepted(kind: type[PublishedDataModule], first: list[int]) -> None:
    module = build(kind, verify=True, resolution=28)
    module.prepare_data()
    train, test = module.split("train"), module.split("test")
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.labels is not None
    assert train.labels[:3].tolist() == first
    assert torch.bincount(train.labels).sum() == 60_000


def test_the_mean_of_mnist() -> None:
    split = build(MNIST, verify=True, resolution=28).split("train")
    mean = split.images(torch.arange(60_000)).float().mean() / 255
    assert mean.item() == pytest.approx(0.1307, abs=1e-4)


def test_cifar10_is_read_without_verification() -> None:
    module = build(CIFAR10, verify=False)
    split = module.split("test")
    assert (len(split), split.images(torch.tensor([0])).shape) == (10_000, (1, 3, 32, 32))
    assert split.labels is not None
    assert split.labels[:5].tolist() == [3, 8, 8, 0, 6]
    assert torch.bincount(split.labels).tolist() == [1000] * 10


def test_other_files_are_refused() -> None:
    with pytest.raises(DataError, match="data_batch_1: its md5"):
        build(CIFAR10, verify=True).setup("fit")


def test_svhn_trains_without_its_test_file() -> None:
    module = build(SVHN, verify=False)
    module.prepare_data()
    labels = module.split("train").labels
    assert labels is not None
    assert labels[:4].tolist() == [1, 9, 2, 3]
    with pytest.raises(DataError, match=r"test_32x32\.mat: not found"):
        module.split("test")
