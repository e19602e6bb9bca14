from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.backbones.classifier import Classifier, Training
from gan.backbones.domain import DomainBackbone, _held_out
from gan.errors import InputError
from tests.metrics.tiny_data import TinyDataset, TinySplit, domain, tiny_dataset


def prepared(cache: Path, dataset: TinyDataset, seed: int = 0, **options: str) -> DomainBackbone:
    backbone = domain(cache, seed, **options)
    backbone.prepare(dataset, torch.device("cpu"))
    return backbone


def test_the_accuracy_is_printed_and_stored(
    tmp_path: Path, dataset: TinyDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = prepared(tmp_path, dataset)
    assert backbone.accuracy > 0.9
    assert backbone.accuracy_split == "test"
    assert f"{backbone.accuracy:.2%} on tiny/test" in capsys.readouterr().out
    (file,) = tmp_path.iterdir()
    assert torch.load(file, weights_only=True)["accuracy"] == backbone.accuracy


def test_the_weights_depend_on_the_seed(tmp_path: Path, dataset: TinyDataset) -> None:
    first = prepared(tmp_path / "a", dataset)
    torch.rand(3)
    assert prepared(tmp_path / "b", dataset).weights_hash == first.weights_hash
    assert prepared(tmp_path / "c", dataset, seed=1).weights_hash != first.weights_hash


def test_the_global_rng_is_unchanged(tmp_path: Path, dataset: TinyDataset) -> None:
    before = torch.get_rng_state()
    prepared(tmp_path, dataset)
    assert torch.equal(before, torch.get_rng_state())


def test_second_run_reads_the_file(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(tmp_path, dataset)
    monkeypatch.setattr(DomainBackbone, "_train", None)
    second = prepared(tmp_path, dataset)
    assert second.weights_hash == first.weights_hash
    assert second.stamp() == first.stamp()


def test_other_images_train_another(tmp_path: Path) -> None:
    prepared(tmp_path, tiny_dataset(seed=0))
    prepared(tmp_path, tiny_dataset(seed=1))
    prepared(tmp_path, tiny_dataset(channels=3))
    assert len(list(tmp_path.iterdir())) == 3


def test_the_file_depends_on_all_that_a_classifier_does(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On images, their shape, the classes, the seed, the training and the version."""

    def path(data: TinyDataset, seed: int = 0, **training: Any) -> Path:
        return DomainBackbone(str(tmp_path), seed, Training(**training))._cache_path(data)

    def other(**changes: Any) -> TinyDataset:
        return replace(dataset, **changes)

    first = path(dataset)
    assert path(other(passes=[], name="other")) == first
    assert first.parent == tmp_path
    found = [first, path(tiny_dataset(seed=1)), path(other(resolution=9))]
    found += [path(other(num_classes=4)), path(dataset, seed=1)]
    changes: list[dict[str, Any]] = [{"rounds": (7,)}, {"enough": 0.5}, {"batch_size": 8}]
    found += [path(dataset, **change) for change in [*changes, {"flip": True}]]
    found.append(path(dataset, learning_rate=0.3))
    monkeypatch.setattr(Classifier, "VERSION", Classifier.VERSION + 1)
    found.append(path(dataset))
    assert len(set(found)) == len(found)


def test_one_class_is_refused_two_are_not(tmp_path: Path, dataset: TinyDataset) -> None:
    backbone = DomainBackbone(str(tmp_path))
    for classes, side in ((2, 8), (3, 8)):
        backbone._check_labels(replace(dataset, num_classes=classes, resolution=side))
    for classes, side in ((1, 8), (0, 8), (2, 7)):
        with pytest.raises(InputError, match="backbone=domain"):
            backbone._check_labels(replace(dataset, num_classes=classes, resolution=side))


@pytest.mark.parametrize(("count", "held"), [(5, 1), (19, 1), (20, 2), (200, 20)])
def test_the_tenth_that_is_held_out_is_not_trained_on(count: int, held: int) -> None:
    data = tiny_dataset()
    order = torch.randperm(count)
    del data.splits["test"]
    split, indices, rest, name = _held_out(data, data.split("train"), order)
    assert split is data.split("train")
    assert name == "last tenth of shuffled train"
    assert len(indices) == held
    assert torch.equal(torch.cat([rest, indices]), order)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_test_split_is_held_out_if_it_has_images_and_labels(labelled: bool) -> None:
    data, order = tiny_dataset(), torch.randperm(200)
    pixels = data.split("test").pixels
    if not labelled:
        data.splits["test"] = TinySplit(pixels, None)
    split, indices, rest, name = _held_out(data, data.split("train"), order)
    assert (name == "test") == labelled
    assert (split is data.split("test")) == labelled
    if labelled:
        assert indices.tolist() == list(range(100))
        assert torch.equal(rest, order)
    empty = TinySplit(pixels[:0], torch.zeros(0))
    data.splits["test"] = empty
    assert _held_out(data, data.split("train"), order)[0] is data.split("train")


def test_truncated_file_is_trained_again(tmp_path: Path, dataset: TinyDataset) -> None:
    first = prepared(tmp_path, dataset)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert prepared(tmp_path, dataset).weights_hash == first.weights_hash
    assert torch.load(file, weights_only=True)["accuracy"] == first.accuracy


def test_without_a_test_split_holds_out_a_tenth(tmp_path: Path, dataset: TinyDataset) -> None:
    del dataset.splits["test"]
    backbone = prepared(tmp_path, dataset)
    assert "tenth" in backbone.accuracy_split
    assert 0.8 < backbone.accuracy <= 1


def test_without_labels_names_the_remedy(tmp_path: Path, dataset: TinyDataset) -> None:
    dataset.splits["train"] = TinySplit(dataset.splits["train"].pixels, None)
    with pytest.raises(InputError, match="backbone=inception"):
        prepared(tmp_path, dataset)


def test_weights_of_another_run(tmp_path: Path, dataset: TinyDataset) -> None:
    first = prepared(tmp_path, dataset)
    (file,) = tmp_path.iterdir()
    other = prepared(tmp_path / "empty", tiny_dataset(seed=1), weights=str(file))
    assert other.weights_hash == first.weights_hash
    with pytest.raises(InputError, match=r"backbone\.weights"):
        prepared(tmp_path, dataset, weights=str(tmp_path / "absent.pt"))


def test_features_are_frozen_in_eval_mode(tmp_path: Path, dataset: TinyDataset) -> None:
    backbone = prepared(tmp_path, dataset)
    images = dataset.split("test").pixels.float() / 127.5 - 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = backbone.train()(images)
    assert features.pool.shape == (100, backbone.num_features)
    assert features.logits.shape == (100, 3)
    assert features.pool.dtype == features.logits.dtype == torch.float32
    assert not features.pool.requires_grad
    assert not any(p.requires_grad for p in backbone.parameters())
    torch.testing.assert_close(backbone(images[:5]).pool, features.pool[:5])


@pytest.mark.parametrize("resolution", [8, 28, 64, 128])
def test_any_resolution(resolution: int) -> None:
    net = Classifier(3, resolution, 10).eval()
    images = torch.zeros(2, 3, resolution, resolution, dtype=torch.uint8)
    assert net(images).shape == (2, 10)
    assert net.pool(images).shape == (2, Classifier.NUM_FEATURES)


def test_bytes_are_refused(tmp_path: Path, dataset: TinyDataset) -> None:
    with pytest.raises(TypeError, match="uint8"):
        prepared(tmp_path, dataset)(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))


def test_fakes_are_rounded_to_bytes(tmp_path: Path, dataset: TinyDataset) -> None:
    backbone = prepared(tmp_path, dataset)
    pixels = dataset.split("test").pixels[:5].float()
    exact = backbone(pixels / 127.5 - 1).pool
    torch.testing.assert_close(backbone((pixels + 0.4) / 127.5 - 1).pool, exact, rtol=0, atol=0)


def test_labels_are_returned_with_the_features(tmp_path: Path, dataset: TinyDataset) -> None:
    backbone = prepared(tmp_path, dataset)
    images, labels = torch.zeros(2, 1, 8, 8), torch.tensor([2, 0])
    assert backbone(images, labels).labels.tolist() == [2, 0]
    assert backbone(images).labels.tolist() == [-1, -1]


def test_points_are_refused(tmp_path: Path, dataset: TinyDataset) -> None:
    dataset.resolution = 1
    with pytest.raises(InputError, match="backbone=plane"):
        prepared(tmp_path, dataset)
