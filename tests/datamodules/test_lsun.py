import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError, extra
from datamodules.file_split import FileSplit
from datamodules.lsun import CATEGORIES, LSUN
from datamodules.split import TensorSplit
from gan import errors

COUNTS = {"bedroom_train": 5, "bedroom_val": 2, "tower_train": 3, "tower_val": 1}
Writer = Callable[[Path, dict[str, bytes]], None]


def write_folder(path: Path, images: dict[str, bytes]) -> None:
    path.mkdir()
    for key, content in images.items():
        (path / f"{key}.webp").write_bytes(content)


def write_database(path: Path, images: dict[str, bytes]) -> None:
    lmdb = pytest.importorskip("lmdb", reason="the package lmdb is not installed")
    folder = path.with_name(f"{path.name}_lmdb")
    with lmdb.open(str(folder), map_size=2**20) as opened, opened.begin(write=True) as transaction:
        for key, content in images.items():
            transaction.put(key.encode(), content)


def picture(level: int) -> bytes:
    buffer = BytesIO()
    pixels = np.full((256, 300, 3), level, dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def write(root: Path, writer: Writer) -> Path:
    for number, (name, count) in enumerate(COUNTS.items()):
        writer(root / name, {f"{k:040x}": picture(50 * number + k) for k in reversed(range(count))})
    return root


@pytest.fixture(params=[write_folder, write_database])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path, request.param)


def build(root: Path, **changes: Any) -> LSUN:
    facts: dict[str, Any] = {"channels": 3, "resolution": 8, "num_classes": 0, "batch_size": 2}
    return LSUN(**(facts | {"root": str(root), "workers": 0} | changes))


def levels(module: LSUN, split: str) -> list[int]:
    held = module.split(split)
    return [int(i) for i in held.images(torch.arange(len(held)))[:, 0, 0, 0].tolist()]


def test_one_category_has_no_labels(root: Path) -> None:
    module = build(root, num_classes=None)
    assert (levels(module, "train"), levels(module, "test")) == ([0, 1, 2, 3, 4], [50, 51])
    assert (module.num_classes, module.split("train").labels) == (0, None)


def test_several_categories_are_classes(root: Path) -> None:
    module = build(root, categories=["tower", "bedroom"], num_classes=None)
    assert levels(module, "train") == [100, 101, 102, 0, 1, 2, 3, 4]
    labels = [module.split(split).labels for split in ("train", "test")]
    assert [held.tolist() for held in labels if held is not None] == [[0] * 3 + [1] * 5, [0, 1, 1]]
    assert (module.num_classes, module.class_names) == (2, ("tower", "bedroom"))


@pytest.mark.parametrize("workers", [0, 2])
def test_streaming_equals_memory(root: Path, workers: int) -> None:
    held, streamed = build(root), build(root, memory_limit=0, workers=workers)
    assert isinstance(held.split("train"), TensorSplit)
    assert isinstance(streamed.split("train"), FileSplit)
    levels(streamed, "train")  # the database is open before the processes start
    pairs = zip(held.reals("train", 2), streamed.reals("train", 2), strict=True)
    assert all(images.equal(others) for (images, _), (others, _) in pairs)


def test_the_fingerprint_changes_with_an_image(tmp_path: Path) -> None:
    write_database(tmp_path / "tower_train", {"a": picture(1), "b": picture(2)})
    write_database(tmp_path / "kitchen_train", {"a": picture(1), "c": picture(2)})
    for memory_limit in (0, 10**6):
        modules = [
            build(tmp_path, categories=[name], memory_limit=memory_limit)
            for name in ("tower", "tower", "kitchen")
        ]
        one, same, other = (module.fingerprint("train") for module in modules)
        assert one == same
        assert memory_limit or one != other
    one, same, other = (module.identity() for module in modules)
    assert one == same == other


def test_missing_files_are_named(root: Path) -> None:
    module = build(root, categories=["kitchen"])
    words = f"{root}/kitchen_train_lmdb: not found: unpack kitchen_train_lmdb.zip of LSUN there"
    with pytest.raises(DataError, match=f"{words}.* {root}/kitchen_train, or set data.root"):
        module.setup("fit")


@pytest.mark.parametrize("given", [["bedrom"], ["tower", "tower"], []])
def test_unknown_categories_are_refused(given: list[str], tmp_path: Path) -> None:
    words = rf"data\.categories=\[{','.join(given)}\]: give different ones of bedroom, bridge"
    with pytest.raises(DataError, match=words):
        build(tmp_path, categories=given)
    assert "kitchen" in CATEGORIES


@pytest.mark.parametrize("size", [0, 4096, 5000, 9000, 40_000])
def test_an_incomplete_database_is_named(size: int, tmp_path: Path) -> None:
    images = {str(k): np.random.default_rng(k).bytes(20_000) for k in range(5)}
    write_database(tmp_path / "bedroom_train", images)
    with (tmp_path / "bedroom_train_lmdb" / "data.mdb").open("r+b") as opened:
        opened.truncate(size)
    with pytest.raises(DataError, match=r"bedroom_train_lmdb: data\.mdb is incomplete: unpack it"):
        build(tmp_path).setup("fit")


def test_a_value_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_database(tmp_path / "bedroom_train", {"abc": b"no image"})
    with pytest.raises(DataError, match="bedroom/abc: is not an image"):
        build(tmp_path).setup("fit")


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bedroom_train_lmdb").mkdir()
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(DataError) as caught:
        build(tmp_path).setup("fit")
    assert f"bedroom_train_lmdb: needs the package lmdb: {extra('lsun')}; or" in str(caught.value)
    assert extra("lsun") == errors.extra("lsun")
