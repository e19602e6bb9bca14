from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.errors import DataError
from datamodules.split import TensorSplit
from datamodules.stacked_mnist import StackedMNIST, StackedSplit

MNIST = Path(__file__).parents[2] / "data" / "mnist"


def layer(size: int = 40) -> TensorSplit:
    """Return a split whose image i has the constant value i and the label i % 10."""
    images = torch.arange(size, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4)
    return TensorSplit(images.contiguous(), torch.arange(size) % 10)


def build(**changes: Any) -> StackedMNIST:
    facts: dict[str, Any] = {"channels": 3, "resolution": 28, "num_classes": 1000, "batch_size": 8}
    sizes = {"root": str(MNIST), "train_size": 300, "test_size": 50}
    return StackedMNIST(**(facts | sizes | changes))


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace MNIST's files by numbered images."""
    sizes = {"train": 40, "test": 30}
    monkeypatch.setattr("datamodules.mnist.MNIST.load", lambda self, split: layer(sizes[split]))


def stacked(**changes: Any) -> StackedMNIST:
    return build(**({"resolution": 4} | changes))


def test_channels_and_label_of_the_chosen_digits() -> None:
    split = StackedSplit(layer(), torch.tensor([[1, 22, 33], [9, 0, 17], [5, 5, 5]]))
    images, labels = split.fetch(torch.tensor([1, 0]))
    assert (images.shape, images.dtype) == ((2, 3, 4, 4), torch.uint8)
    assert images[:, :, 0, 0].tolist() == [[9, 0, 17], [1, 22, 33]]
    assert images.amin((2, 3)).equal(images.amax((2, 3)))
    assert labels is not None
    assert labels.tolist() == [907, 123]
    assert len(split) == 3


def test_the_fingerprint_depends_on_digits_and_choice() -> None:
    chosen = torch.tensor([[1, 2, 3], [4, 5, 6]])
    other = layer()
    other._images[7] += 1
    blind = StackedSplit(layer(), chosen)
    blind.labels = None
    prints = [
        StackedSplit(layer(), chosen).fingerprint(),
        StackedSplit(layer(), chosen.flip(1)).fingerprint(),
        StackedSplit(layer(), chosen + 10).fingerprint(),
        StackedSplit(other, chosen).fingerprint(),
        blind.fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert StackedSplit(layer(), chosen.clone()).fingerprint() == prints[0]


def test_a_split_on_a_device_is_equal() -> None:
    split = StackedSplit(layer(), torch.tensor([[1, 2, 3], [4, 5, 6]]))
    split.labels = None
    placed = split.on_device(torch.device("cpu"))
    assert placed.fingerprint() == split.fingerprint()
    assert placed.fetch(torch.tensor([1]))[1] is None


@pytest.mark.usefixtures("digits")
def test_an_image_depends_on_index_and_content_seed_only() -> None:
    module, first = stacked(seed=3), torch.arange(100)
    images = module.split("train").images(first)
    assert stacked(train_size=100).split("train").images(first).equal(images)
    assert not stacked(content_seed=1).split("train").images(first).equal(images)
    assert images.amax().item() < 40
    assert module.split("test").images(torch.arange(50)).amax().item() < 30


@pytest.mark.usefixtures("digits")
def test_digits_are_uniform_and_channels_independent() -> None:
    split = stacked(train_size=20_000).split("train")
    assert split.labels is not None
    digits = torch.stack([split.labels // 100, split.labels // 10 % 10, split.labels % 10])
    for channel in digits:
        assert channel.bincount().sub(2000).abs().max().item() < 200
    assert digits.double().corrcoef().sub(torch.eye(3)).abs().max().item() < 0.03


@pytest.mark.usefixtures("digits")
def test_few_images_have_a_thousand_classes() -> None:
    assert stacked(train_size=2).split("train").num_classes == 1000
    assert stacked(num_classes=0).split("train").labels is None
    with pytest.raises(DataError, match=r"data\.num_classes=10 .* set data\.num_classes=1000"):
        stacked(num_classes=10).split("train")
    with pytest.raises(DataError, match=r"data\.channels=1 .* set data\.channels=3"):
        stacked(channels=1).split("train")


@pytest.mark.usefixtures("digits")
def test_layer_is_mnist_at_the_same_resolution() -> None:
    layer = stacked().layer()
    assert (layer.name, layer.channels, layer.num_classes) == ("mnist", 1, 10)
    assert (layer.resolution, layer.root) == (4, MNIST)
    assert stacked(root=None).layer().root == stacked(root=None).root == Path("data/mnist")


@pytest.mark.data
def test_real_files() -> None:
    if not MNIST.is_dir():
        pytest.skip("mnist is not unpacked in data/")
    module = build(train_size=128_000)
    train, mnist = module.split("train"), module.layer().split("train")
    assert (len(train), len(module.split("test"))) == (128_000, 50)
    assert isinstance(train, StackedSplit)
    assert train.labels is not None
    assert mnist.labels is not None
    assert train.labels.bincount().gt(0).sum().item() == 1000
    image, chosen = train.images(torch.tensor([77]))[0], train.chosen[77]
    assert image.equal(mnist.images(chosen)[:, 0])
    r, g, b = mnist.labels[chosen].tolist()
    assert train.labels[77].item() == 100 * r + 10 * g + b
