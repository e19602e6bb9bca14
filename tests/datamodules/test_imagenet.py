from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.file_split import FileSplit
from datamodules.imagenet import ImageNet
from datamodules.split import TensorSplit

SYNSETS = ("n01440764", "n01443537", "n02084071")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write three images a class for training and one for validation."""
    for number, synset in enumerate(SYNSETS):
        for k, folder in enumerate(("train", "train", "train", "val")):
            path = tmp_path / folder / synset / f"{synset}_{k}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((20, 30, 3), 60 * number + 10 * k, dtype=np.uint8)
            Image.fromarray(pixels).save(path, "JPEG", quality=100)
    return tmp_path


def build(root: Path, **changes: Any) -> ImageNet:
    facts: dict[str, Any] = {"channels": 3, "resolution": 8, "num_classes": 3, "batch_size": 2}
    return ImageNet(**(facts | {"root": str(root), "workers": 0} | changes))


def levels(module: ImageNet, split: str) -> list[int]:
    held = module.split(split)
    return [int(i) for i in held.images(torch.arange(len(held)))[:, 0, 0, 0].tolist()]


@pytest.mark.parametrize(("memory_limit", "kind"), [(0, FileSplit), (10**6, TensorSplit)])
def test_splits_and_labels(root: Path, memory_limit: int, kind: type) -> None:
    module = build(root, memory_limit=memory_limit)
    assert isinstance(module.split("train"), kind)
    assert levels(module, "train") == [0, 10, 20, 60, 70, 80, 120, 130, 140]
    assert levels(module, "test") == [30, 90, 150]
    labels = [module.split(split).labels for split in ("train", "test")]
    assert [held.tolist() for held in labels if held is not None] == [
        [0, 0, 0, 1, 1, 1, 2, 2, 2],
        [0, 1, 2],
    ]


def test_fewer_classes_are_named_by_their_folders(root: Path) -> None:
    assert build(root).class_names == SYNSETS
    assert build(root, num_classes=None).num_classes == 3
    assert build(root, num_classes=0).split("train").labels is None


def test_a_thousand_classes_have_english_names(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / "train" / f"n{number:08}").mkdir(parents=True)
    names = build(tmp_path, num_classes=1000).class_names
    assert (len(names), names[0], names[1], names[999]) == (
        1000,
        "tench",
        "goldfish",
        "toilet tissue",
    )


def test_another_number_of_classes_is_refused_before_decoding(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileSplit, "in_memory", lambda _: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"train has 3 classes: set data\.num_classes=3"):
        build(root, num_classes=1000).setup("fit")


def test_missing_folders_are_named(root: Path, tmp_path: Path) -> None:
    module = build(root)
    (root / "val").rename(root / "away")
    module.setup("fit")
    with pytest.raises(DataError, match=f"{root}/val: not found: unpack ILSVRC2012_img_val.tar"):
        module.split("test")
    (root / "train").rename(root / "gone")
    with pytest.raises(DataError, match=f"{root}/train: not found: unpack .* data.root=DIR"):
        build(root).setup("fit")
    (root / "train").mkdir()
    with pytest.raises(DataError, match="has no class folders, such as n01440764"):
        build(root).setup("fit")


@pytest.mark.parametrize("place", [".", "n99999999"])
def test_validation_images_in_no_class_folder_are_named(place: str, root: Path) -> None:
    (root / "val" / place).mkdir(exist_ok=True)
    (root / "val" / SYNSETS[0] / f"{SYNSETS[0]}_3.JPEG").rename(root / "val" / place / "a.JPEG")
    with pytest.raises(DataError, match=r"a\.JPEG: is in no class folder of train"):
        build(root).split("test")


def test_the_fingerprint_is_that_of_the_content(root: Path) -> None:
    before = build(root).fingerprint("train")
    assert build(root).fingerprint("train") == before
    path = next((root / "train" / SYNSETS[0]).iterdir())
    Image.fromarray(np.full((20, 30, 3), 255, dtype=np.uint8)).save(path, "JPEG")
    assert build(root).fingerprint("train") != before
