import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError, extra
from datamodules.file_split import FileSplit
from datamodules.huggingface import HuggingFace
from datamodules.split import TensorSplit
from gan import errors

NAMES = ["ant", "bee", "cow"]


def picture(level: int) -> Image.Image:
    return Image.fromarray(np.full((12, 20, 3), level, dtype=np.uint8))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the package with a cache of its own, which reaches no network."""
    library = pytest.importorskip("datasets", reason="the package datasets is not installed")
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(library.config, "HF_HUB_OFFLINE", True)
    library.disable_progress_bars()
    return library


def table(library: Any, count: int, first: int, **columns: Any) -> Any:
    """Return a table of images with the values first, first + 1, ... and labels 0, 1, 2, 0, ..."""
    features = {"img": library.Image(), "label": library.ClassLabel(names=NAMES)}
    content = {
        "img": [picture(first + i) for i in range(count)],
        "label": [i % 3 for i in range(count)],
    }
    return library.Dataset.from_dict(content | columns, features=library.Features(features))


@pytest.fixture
def root(library: Any, tmp_path: Path) -> Path:
    tables = {"train": table(library, 7, 0), "test": table(library, 4, 100)}
    library.DatasetDict(tables).save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


def build(root: Path | None, **changes: Any) -> HuggingFace:
    facts: dict[str, Any] = {"channels": 3, "resolution": 8, "num_classes": 3, "batch_size": 2}
    given = {"root": None if root is None else str(root), "workers": 0}
    return HuggingFace(**(facts | given | changes))


def levels(module: HuggingFace, split: str) -> list[int]:
    held = module.split(split)
    images = held.images(torch.arange(len(held)))
    assert images.shape[1:] == (3, 8, 8)
    assert images.flatten(1).float().std(1).max() == 0
    return [int(i) for i in images[:, 0, 0, 0].tolist()]


def test_the_name_is_that_of_the_hub(tmp_path: Path) -> None:
    assert build(None, name="user/set").name == "huggingface/user/set"
    assert build(tmp_path).name == "huggingface"
    assert build(None, name="user/set").root == Path("user/set")
    assert build(tmp_path, name="user/set").root == tmp_path


@pytest.mark.parametrize(("memory_limit", "kind"), [(0, FileSplit), (10**6, TensorSplit)])
def test_a_saved_data_set(root: Path, memory_limit: int, kind: type) -> None:
    module = build(root, memory_limit=memory_limit)
    assert isinstance(module.split("train"), kind)
    assert levels(module, "train") == list(range(7))
    assert levels(module, "test") == [100, 101, 102, 103]
    labels = module.split("test").labels
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 0]
    assert module.class_names == tuple(NAMES)


def test_columns_by_name(root: Path) -> None:
    module = build(root, image="img", label="label", num_classes=None)
    assert module.num_classes == 3
    assert build(root, num_classes=0).split("train").labels is None
    with pytest.raises(DataError, match=r"data\.image=label: .*: set data\.image=img$"):
        build(root, image="label").setup("fit")
    with pytest.raises(DataError, match=r"data\.label=img: no column .*: set data\.label=label$"):
        build(root, label="img").setup("fit")
    with pytest.raises(DataError, match=r"data\.label=lable: .* \(absent\)"):
        build(root, label="lable").setup("fit")


def test_labels_that_would_be_dropped_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"data\.num_classes=0: set data\.num_classes=3"):
        build(root, label="label", num_classes=0).setup("fit")
    with pytest.raises(DataError, match=r"num_classes=5 but .*/label has 3 classes: set"):
        build(root, num_classes=5).setup("fit")


def test_ambiguous_columns_are_refused_with_the_choices(library: Any, tmp_path: Path) -> None:
    features = {"a": library.Image(), "b": library.Image()}
    features |= dict.fromkeys(("x", "y"), library.ClassLabel(names=NAMES))
    content = {"a": [picture(1)] * 3, "b": [picture(2)] * 3, "x": [0, 1, 2], "y": [2, 1, 0]}
    saved = library.Dataset.from_dict(content, features=library.Features(features))
    saved.save_to_disk(str(tmp_path / "two"))
    with pytest.raises(DataError, match=r"several columns of images: set data\.image=a or b"):
        build(tmp_path / "two").setup("fit")
    with pytest.raises(DataError, match=r"several columns of labels: set data\.label=x or y"):
        build(tmp_path / "two", image="a").setup("fit")
    module = build(tmp_path / "two", image="b", label="y")
    labels = module.split("train").labels
    assert labels is not None
    assert (levels(module, "train"), labels.tolist()) == ([2, 2, 2], [2, 1, 0])
    with pytest.raises(DataError, match=r"has no split 'test': set data\.test_split=train"):
        module.split("test")


def test_numbers_are_labels_and_missing_ones_are_refused(library: Any, tmp_path: Path) -> None:
    features = {"img": library.Image(), "n": library.Value("int64")}
    for name, numbers in {"whole": [0, 4, 1], "partial": [0, -1, 1]}.items():
        content = {"img": [picture(0)] * 3, "n": numbers}
        saved = library.Dataset.from_dict(content, features=library.Features(features))
        saved.save_to_disk(str(tmp_path / name))
    module = build(tmp_path / "whole", label="n", num_classes=None)
    assert (module.num_classes, module.class_names) == (5, ())
    with pytest.raises(DataError, match="images of train have no label in n: set"):
        build(tmp_path / "partial", label="n", num_classes=2).setup("fit")


def test_a_folder_of_images(library: Any, tmp_path: Path) -> None:
    for split, first in (("train", 0), ("test", 50)):
        for i, name in enumerate(NAMES):
            (tmp_path / "images" / split / name).mkdir(parents=True)
            picture(first + i).save(tmp_path / "images" / split / name / "0.png")
    module = build(tmp_path / "images")
    assert (levels(module, "train"), levels(module, "test")) == ([0, 1, 2], [50, 51, 52])
    assert module.class_names == tuple(NAMES)


def test_the_cache_of_the_hub_is_used_without_network(library: Any, tmp_path: Path) -> None:
    for split in ("train", "test"):
        table(library, 3, 10).to_parquet(str(tmp_path / f"{split}.parquet"))
    files = {split: str(tmp_path / f"{split}.parquet") for split in ("train", "test")}
    library.load_dataset("parquet", data_files=files)
    (made,) = (tmp_path / "cache" / "parquet").glob("*/*/*/dataset_info.json")
    cached = tmp_path / "cache" / "someone___pictures" / "default" / "0.0.0" / "abc"
    shutil.copytree(made.parent, cached)
    for file in cached.glob("parquet-*.arrow"):
        file.rename(file.with_name(file.name.replace("parquet", "pictures", 1)))
    module = build(None, name="someone/pictures")
    assert levels(module, "train") == [10, 11, 12]
    assert module.name == "huggingface/someone/pictures"


def test_a_run_uses_the_cache_alone(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.config, "HF_HUB_OFFLINE", False)
    seen = []

    def load(*_: Any) -> Any:
        seen.append(library.config.HF_HUB_OFFLINE)
        return {"train": table(library, 3, 0)}

    monkeypatch.setattr(library, "load_dataset", load)
    for allowed in (True, False):
        module = build(None, name="someone/pictures")
        module.may_download = allowed
        module.prepare_data()
    assert seen == [False, True]
    assert library.config.HF_HUB_OFFLINE is False


def test_a_local_folder_is_read_by_its_absolute_path(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path could be taken for the name of a data set of the hub."""
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    seen: list[tuple[str, str]] = []

    def load(kind: str, data_dir: str) -> Any:
        seen.append((kind, data_dir))
        return {"train": table(library, 3, 0)}

    monkeypatch.setattr(library, "load_dataset", load)
    build(Path("pictures")).prepare_data()
    assert seen == [("imagefolder", str(tmp_path / "pictures"))]


def test_what_cannot_be_read_is_one_line(library: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.name=USER/NAME of the hub or data\.root=DIR"):
        build(None)
    for module in (build(None, name="someone/nothing"), build(tmp_path / "absent")):
        with pytest.raises(DataError, match=f"{module.root}: cannot be read .* data.root") as e:
            module.prepare_data()
        assert "\n" not in str(e.value)


def test_an_empty_row_is_named(library: Any, tmp_path: Path) -> None:
    features = library.Features({"img": library.Image()})
    saved = library.Dataset.from_dict({"img": [picture(0), None]}, features=features)
    saved.save_to_disk(str(tmp_path / "gap"))
    with pytest.raises(DataError, match="gap/1: has no image in img: remove the row"):
        build(tmp_path / "gap", num_classes=0).setup("fit")


@pytest.mark.parametrize("memory_limit", [0, 10**6])
def test_the_fingerprint_is_that_of_the_content(
    library: Any, root: Path, tmp_path: Path, memory_limit: int
) -> None:
    before = build(root, memory_limit=memory_limit)
    shutil.copytree(root, tmp_path / "copy")
    moved = build(tmp_path / "copy", memory_limit=memory_limit)
    table(library, 7, 1).save_to_disk(str(tmp_path / "other"))
    other = build(tmp_path / "other", memory_limit=memory_limit)
    assert before.fingerprint("train") == moved.fingerprint("train")
    assert before.identity() == moved.identity()
    assert before.fingerprint("train") != other.fingerprint("train")
    assert before.identity() != other.identity()


@pytest.mark.parametrize("found", [None, SimpleNamespace(__version__="3.6.0")])
def test_without_the_package_the_extra_is_named(
    found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", found)
    with pytest.raises(DataError, match=r"needs datasets.*pip install 'SOURCE\[huggingface\]'"):
        build(tmp_path).prepare_data()
    assert extra("huggingface") == errors.extra("huggingface")
