from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan.backbones.classifier import Training
from gan.backbones.domain import DomainBackbone
from gan.backbones.stacked import StackedBackbone
from gan.errors import InputError
from tests.metrics.tiny_data import TinyDataset, TinySplit, domain, tiny_dataset

CPU = torch.device("cpu")


@dataclass
class Stacked(TinyDataset):
    """Three channels, each an image of three classes."""

    below: TinyDataset = field(default_factory=tiny_dataset)
    num_classes: int = 27

    def layer(self) -> TinyDataset:
        return self.below


def stacked(below: TinyDataset, count: int = 60) -> Stacked:
    """Images of random channels of the test split of `below`."""
    layer = below.split("test")
    chosen = torch.randint(len(layer), (count, 3), generator=torch.Generator().manual_seed(0))
    assert layer.labels is not None
    labels = layer.labels[chosen] @ torch.tensor([9, 3, 1])
    return Stacked({"train": TinySplit(layer.pixels[chosen][:, :, 0], labels)}, below=below)


def build(cache: Path, weights: str | None = None) -> StackedBackbone:
    return StackedBackbone(str(cache), 0, Training(rounds=(25,), batch_size=32), weights)


def prepared(cache: Path, dataset: Stacked) -> StackedBackbone:
    backbone = build(cache)
    backbone.prepare(dataset, CPU)
    return backbone


def floats(dataset: TinyDataset, split: str = "train") -> Tensor:
    return dataset.split(split).pixels.float() / 127.5 - 1


def test_features_and_logits_are_those_of_the_channels(tmp_path: Path) -> None:
    dataset = stacked(tiny_dataset())
    channel = domain(tmp_path)
    channel.prepare(dataset.layer(), CPU)
    images = floats(dataset)
    pool, logits, _ = prepared(tmp_path, dataset)(images)
    alone = [channel(images[:, [c]]) for c in range(3)]
    torch.testing.assert_close(pool, torch.cat([f.pool for f in alone], 1))
    r, g, b = (f.logits.log_softmax(1) for f in alone)
    assert logits.shape == (60, 27)
    for i, j, k in product(range(3), repeat=3):
        torch.testing.assert_close(logits[:, 9 * i + 3 * j + k], r[:, i] + g[:, j] + b[:, k])
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(60))


def test_classes_are_found_in_their_order(tmp_path: Path) -> None:
    dataset = stacked(tiny_dataset())
    found = prepared(tmp_path, dataset)(floats(dataset)).logits.argmax(1)
    labels = dataset.split("train").labels
    assert labels is not None
    assert (found == labels).float().mean() > 0.9
    assert len(set(labels.tolist())) > 20


def test_the_classifier_is_that_of_the_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tiny_dataset()
    channel = domain(tmp_path)
    channel.prepare(below, CPU)
    monkeypatch.setattr(DomainBackbone, "_train", None)
    backbone = prepared(tmp_path, stacked(below))
    assert backbone.num_features == 3 * channel.num_features
    stamp = backbone.stamp()
    assert stamp["backbone"] == "stacked"
    assert stamp["accuracy"] == channel.accuracy
    assert stamp["weights_hash"] == backbone.weights_hash != ""


def test_weights_of_another_run(tmp_path: Path) -> None:
    first = prepared(tmp_path, stacked(tiny_dataset()))
    (file,) = tmp_path.iterdir()
    other = build(tmp_path / "empty", str(file))
    other.prepare(stacked(tiny_dataset(seed=1)), CPU)
    assert other.weights_hash == first.weights_hash
    with pytest.raises(InputError, match=r"backbone\.weights"):
        build(tmp_path, str(tmp_path / "absent.pt")).prepare(stacked(tiny_dataset()), CPU)


def test_images_that_are_not_stacked_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tiny holds others; use data=stacked_mnist") as caught:
        build(tmp_path).prepare(tiny_dataset(channels=3), CPU)
    assert "\n" not in str(caught.value)
