import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import celeba
from datamodules.celeba import CelebA
from datamodules.errors import DataError
from datamodules.file_split import FileSplit
from datamodules.split import TensorSplit

pytestmark = pytest.mark.filterwarnings("ignore:data.verify=false")

PARTS = [0, 0, 1, 2, 0, 2]  # of images 1 to 6
SMILES = [1, -1, 1, 1, 1, -1]


def face(i: int) -> Image.Image:
    """Return an image whose central square has the value 40 i, and 255 above and below it."""
    pixels = np.full((218, 178, 3), 255, dtype=np.uint8)
    pixels[20:198] = 40 * i
    return Image.fromarray(pixels)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    names = [f"{i:06}.jpg" for i in range(1, 7)]
    for i, name in enumerate(names, 1):
        face(i).save(folder / name, "PNG")
    parts = (f"{name} {part}\n" for name, part in zip(names, PARTS, strict=True))
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("".join(parts))
    rows = (f"{name} -1  {smile}\n" for name, smile in zip(names, SMILES, strict=True))
    attributes = "6\nBald Smiling\n" + "".join(rows)
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text(attributes)
    return tmp_path


@pytest.fixture
def zipped(root: Path) -> Path:
    folder = root / "celeba" / "img_align_celeba"
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")
            path.unlink()
    folder.rmdir()
    return root


def build(root: Path, **changes: Any) -> CelebA:
    facts: dict[str, Any] = {"channels": 3, "resolution": 16, "batch_size": 2, "workers": 0}
    return CelebA(**(facts | {"root": str(root), "verify": False} | changes))


def levels(module: CelebA, split: str) -> list[int]:
    held = module.split(split)
    pixels = held.images(torch.arange(len(held))).float()
    assert pixels.shape[1:] == (3, 16, 16)
    assert pixels.std((1, 2, 3)).max() < 1  # nothing of the border
    return [round(mean / 40) for mean in pixels.mean((1, 2, 3)).tolist()]


@pytest.mark.parametrize("source", ["root", "zipped"])
def test_the_central_square_of_each_face(source: str, request: pytest.FixtureRequest) -> None:
    module = build(request.getfixturevalue(source))
    assert (levels(module, "train"), levels(module, "test")) == ([1, 2, 5], [4, 6])
    assert module.split("train").labels is None
    assert (module.num_classes, module.class_names) == (0, ())


def test_streamed_faces_equal_those_in_memory(zipped: Path) -> None:
    held, streamed = build(zipped), build(zipped, memory_limit=0)
    assert isinstance(held.split("train"), TensorSplit)
    assert isinstance(streamed.split("train"), FileSplit)
    pairs = zip(held.reals("train", 2), streamed.reals("train", 2), strict=True)
    assert all(images.equal(others) for (images, _), (others, _) in pairs)


def test_an_attribute_as_label(root: Path) -> None:
    module = build(root, label="Smiling")
    labels = [module.split(split).labels for split in ("train", "test")]
    assert [held.tolist() for held in labels if held is not None] == [[1, 0, 1], [1, 0]]
    assert (module.num_classes, module.class_names) == (2, ("not Smiling", "Smiling"))


def test_labels_that_do_not_fit_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"num_classes=0 but data\.label=Bald: .*num_classes=2"):
        build(root, label="Bald", num_classes=0)
    with pytest.raises(DataError, match=r"num_classes=2 but data\.label=null: .*num_classes=0"):
        build(root, num_classes=2)
    with pytest.raises(DataError, match=r"data\.label=Smile: .*celeba\.txt has Bald, Smiling"):
        build(root, label="Smile").setup("fit")


@pytest.mark.parametrize(
    "name", ["list_eval_partition.txt", "list_attr_celeba.txt", "img_align_celeba.zip"]
)
def test_missing_files_are_named(name: str, zipped: Path) -> None:
    (zipped / "celeba" / name).unlink()
    with pytest.raises(DataError, match=f"{zipped}/celeba/{name}: not found.*copy") as caught:
        build(zipped, label="Bald").setup("fit")
    assert "\n" not in str(caught.value)


def test_a_run_downloads_nothing_again(zipped: Path) -> None:
    (zipped / "celeba" / "img_align_celeba.zip").unlink()
    module = build(zipped, verify=True)
    module.may_download = False
    with pytest.raises(DataError, match=r"img_align_celeba\.zip: not found: give data\.root=DIR"):
        module.prepare_data()


def test_a_missing_face_is_named(root: Path) -> None:
    (root / "celeba" / "img_align_celeba" / "000002.jpg").unlink()
    with pytest.raises(DataError, match=r"000002\.jpg: not found: copy the images"):
        build(root).setup("fit")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"000001.jpg", b"\n\n"])
def test_a_damaged_partition_is_named(content: bytes, root: Path) -> None:
    path = root / "celeba" / "list_eval_partition.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}: cannot be read") as caught:
        build(root).setup("fit")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["6\nBald\n", "6\n", "6\nBald\n000001.jpg\n"])
def test_damaged_attributes_are_named(content: str, root: Path) -> None:
    path = root / "celeba" / "list_attr_celeba.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=f"{path}: ") as caught:
        build(root, label="Bald").setup("fit")
    assert "\n" not in str(caught.value)


def test_only_missing_files_are_downloaded(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def download(key: str, folder: str, name: str, md5: str) -> None:
        asked.append(name)
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_bytes((tmp_path / "away").read_bytes())

    path = root / "celeba" / "list_eval_partition.txt"
    os.replace(path, tmp_path / "away")
    monkeypatch.setattr(CelebA, "ATTRIBUTES", replace(CelebA.ATTRIBUTES, md5=None))
    digest = hashlib.md5((tmp_path / "away").read_bytes()).hexdigest()
    monkeypatch.setattr(celeba, "download_file_from_google_drive", download)
    monkeypatch.setattr(CelebA, "PARTITION", replace(CelebA.PARTITION, md5=digest))
    assert levels(build(root, verify=True, label="Smiling"), "train") == [1, 2, 5]
    assert asked == [path.name]


def test_a_wrong_checksum_is_named(root: Path) -> None:
    with pytest.raises(DataError, match=r"list_eval_partition\.txt: its md5"):
        build(root, verify=True).setup("fit")
