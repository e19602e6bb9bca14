import os
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.file_split import FileSplit
from datamodules.image_folder import ImageFolder
from datamodules.split import TensorSplit

COUNT = 40


def write(path: Path, pixels: Any, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, **options)


def build(root: Path, **changes: Any) -> ImageFolder:
    facts: dict[str, Any] = {
        "channels": 3,
        "resolution": 8,
        "num_classes": 0,
        "batch_size": 6,
        "steps": 9,
    }
    return ImageFolder(**(facts | {"root": str(root), "workers": 0} | changes))


def numbers(module: ImageFolder, split: str) -> list[int]:
    held = module.split(split)
    return [int(i) for i in held.images(torch.arange(len(held)))[:, 0, 0, 0].tolist()]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Write images with the constant value i, in class folders ant and bee in turn."""
    root = tmp_path / "insects"
    for i in range(COUNT):
        write(root / ("ant", "bee")[i // 20] / f"{i:02}.png", np.full((8, 8, 3), i))
    (root / "notes.txt").write_text("no image")
    (root / "ant" / "._hidden.png").write_bytes(b"no image")
    return root


@pytest.fixture
def archive(classes: Path) -> Path:
    path = classes.parent / "insects.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for file in sorted(classes.rglob("*.*"), reverse=True):
            opened.write(file, file.relative_to(classes.parent))
        opened.writestr("__MACOSX/insects/ant/00.png", b"no image")
    return path


def test_some_images_are_held_out(classes: Path) -> None:
    module = build(classes, num_classes=2)
    held = numbers(module, "test")
    assert 1 <= len(held) <= 8
    assert sorted([*numbers(module, "train"), *held]) == list(range(COUNT))


def test_classes_are_the_sorted_folders(classes: Path) -> None:
    module = build(classes, num_classes=2)
    labels = module.split("train").labels
    assert labels is not None
    assert labels.tolist() == [i // 20 for i in numbers(module, "train")]


def test_a_zip_file_equals_its_folder(classes: Path, archive: Path) -> None:
    folder, zipped = build(classes, num_classes=2), build(archive, num_classes=2)
    for split in ("train", "test"):
        assert folder.fingerprint(split) == zipped.fingerprint(split)


def test_folders_named_train_and_test_are_the_splits(tmp_path: Path) -> None:
    for i, name in enumerate(("train/b/0.png", "train/a/1.png", "test/a/2.png", "test/b/3.png")):
        write(tmp_path / name, np.full((8, 8, 3), i))
    module = build(tmp_path, num_classes=2)
    assert (numbers(module, "train"), numbers(module, "test")) == ([1, 0], [2, 3])
    labels = [module.split(split).labels for split in ("train", "test")]
    assert [held.tolist() for held in labels if held is not None] == [[0, 1], [0, 1]]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("source", ["classes", "archive"])
def test_streaming_equals_memory(source: str, workers: int, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(source)
    held = build(root, num_classes=2, n_critic=2, flip=True)
    streamed = build(root, num_classes=2, n_critic=2, flip=True, memory_limit=0, workers=workers)
    held.start_step = streamed.start_step = 2
    assert isinstance(held.split("train"), TensorSplit)
    assert isinstance(streamed.split("train"), FileSplit)
    before = torch.get_rng_state()
    steps = zip(held.train_dataloader(), streamed.train_dataloader(), strict=True)
    passes = zip(held.reals("test", 3), streamed.reals("test", 3), strict=True)
    pairs = [*chain.from_iterable(zip(a, b, strict=True) for a, b in steps), *passes]
    assert len(pairs) == 7 * 2 + 2
    for (images, labels), (others, their_labels) in pairs:
        assert labels is not None
        assert their_labels is not None
        assert images.equal(others)
        assert labels.equal(their_labels)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(("channels", "resolution"), [(1, 5), (3, 8)])
def test_the_limit_of_memory_is_in_bytes(classes: Path, channels: int, resolution: int) -> None:
    shape = {"channels": channels, "resolution": resolution}
    size = len(build(classes).split("train")) * channels * resolution**2
    limits = (size, size - 1)
    held, streamed = (build(classes, memory_limit=n, **shape).split("train") for n in limits)
    assert isinstance(held, TensorSplit)
    assert held.images(torch.arange(len(held))).nbytes == size
    assert isinstance(streamed, FileSplit)


def test_the_fingerprint_of_a_streamed_folder_changes_with_a_file(classes: Path) -> None:
    before = build(classes, memory_limit=0).fingerprint("train")
    assert build(classes, memory_limit=0).fingerprint("train") == before
    os.utime(classes / "ant" / "00.png", ns=(0, 0))
    assert build(classes, memory_limit=0).fingerprint("train") != before


def test_images_are_resized_to_cover_and_cropped_at_the_centre(tmp_path: Path) -> None:
    wide = np.zeros((16, 48), dtype=np.uint8)
    wide[:, 16:32] = np.arange(16) * 10
    write(tmp_path / "wide.png", wide)
    image = build(tmp_path, channels=1).split("train").images(torch.tensor([0]))[0, 0].float()
    middle = torch.from_numpy(wide[:, 16:32].astype(np.float32))
    expected = middle.view(8, 2, 8, 2).mean((1, 3))
    assert image[:, 1:-1].sub(expected[:, 1:-1]).abs().max().item() <= 2


@pytest.mark.parametrize(("mode", "channels"), [("L", 3), ("RGBA", 3), ("P", 1), ("CMYK", 3)])
def test_colour_modes_become_the_declared_channels(
    mode: str, channels: int, tmp_path: Path
) -> None:
    Image.new("L", (8, 8), 90).convert(mode).save(tmp_path / "image.tiff")
    image = build(tmp_path, channels=channels).split("train").images(torch.tensor([0]))
    assert image.shape == (1, channels, 8, 8)
    assert image.float().sub(90).abs().max().item() <= 2


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    pixels = np.repeat(np.arange(8)[:, None] * 30, 8, axis=1)
    write(tmp_path / "image.png", pixels, exif=exif)
    image = build(tmp_path, channels=1).split("train").images(torch.tensor([0]))
    assert image[0, 0, :, 0].tolist() == list(range(210, -1, -30))


def damaged(root: Path, data: bytes) -> Path:
    path = root / "bee" / "30.png"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("memory_limit", [0, 10**6])
def test_a_truncated_image_is_named(classes: Path, workers: int, memory_limit: int) -> None:
    whole = (classes / "bee" / "30.png").read_bytes()
    path = damaged(classes, whole[: len(whole) - 30])
    module = build(classes, workers=workers, memory_limit=memory_limit)
    with pytest.raises(DataError, match=f"{path}: cannot be read") as caught:
        list(module.reals("train", 5))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_a_file_that_is_not_an_image_is_named(classes: Path, data: bytes) -> None:
    path = damaged(classes, data)
    with pytest.raises(DataError, match=f"{path}: is not an image"):
        build(classes).setup("fit")


def test_a_damaged_zip_member_is_named(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    start = data.index(b"bee/30.png") + len(b"bee/30.png")
    data[start + 40] ^= 255
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"insects\.zip/insects/bee/30\.png: cannot be read"):
        build(archive).setup("fit")


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}: has no images"):
        build(tmp_path).setup("fit")


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent: not found: point data\.root to"):
        build(tmp_path / "absent").setup("fit")


def test_a_truncated_zip_is_one_line(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(DataError, match=r"insects\.zip: cannot be read .* whole zip file"):
        build(archive).setup("fit")


def test_no_permission_is_one_line(classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="no permission to read it"):
        build(classes).setup("fit")


def test_wrong_or_absent_classes_are_one_line(classes: Path) -> None:
    with pytest.raises(DataError, match=r"data\.num_classes=3 .* set data\.num_classes=2"):
        build(classes, num_classes=3).setup("fit")
    write(classes / "stray.png", np.zeros((8, 8, 3)))
    with pytest.raises(DataError, match=r"stray\.png: is in no class folder"):
        build(classes, num_classes=2).setup("fit")


def test_too_few_images_for_a_test_split_are_one_line(tmp_path: Path) -> None:
    write(tmp_path / "only.png", np.zeros((8, 8, 3)))
    module = build(tmp_path, batch_size=1)
    module.setup("fit")
    with pytest.raises(DataError, match="the test split of image_folder has no images"):
        module.split("test")


def test_a_pipe_with_the_name_of_an_image_is_refused(classes: Path) -> None:
    os.mkfifo(classes / "ant" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png: is not a regular file"):
        build(classes).split("train")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero here")
def test_a_device_with_the_name_of_an_image_is_refused(classes: Path) -> None:
    (classes / "ant" / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"zero\.png: is not a regular file"):
        [build(classes).split(split) for split in ("train", "test")]


@pytest.mark.parametrize("target", [".", "..", "../bee"])
def test_links_to_a_folder_that_is_read_already_are_refused(classes: Path, target: str) -> None:
    (classes / "ant" / "again").symlink_to(target, target_is_directory=True)
    (classes / "ant" / "more").symlink_to(target, target_is_directory=True)
    with pytest.raises(DataError, match="links lead to this folder twice"):
        build(classes).split("train")


@pytest.mark.parametrize("memory", [0, 2**30])
def test_the_identity_is_that_of_the_content(classes: Path, memory: int) -> None:
    def identity(root: Path) -> str:
        return build(root, memory_limit=memory).identity()

    before = identity(classes)
    moved = classes.rename(classes.parent / "moved")
    os.utime(moved / "ant" / "00.png")
    assert identity(moved) == before
    write(moved / "ant" / "00.png", np.full((8, 8, 3), 200))
    changed = identity(moved)
    assert changed != before
    write(moved / "bee" / "99.png", np.full((8, 8, 3), 7))
    assert identity(moved) not in (before, changed)


def test_the_identity_is_that_of_names_sizes_labels_and_bytes(tmp_path: Path) -> None:
    """A change of one alone, of a few files."""

    def identity(change: str) -> str:
        root = tmp_path / change
        for name in ("a/0.bmp", "a/1.bmp", "b/2.bmp"):
            write(root / name, np.full((8, 8, 3), 7))
        if change == "name":
            (root / "a/1.bmp").rename(root / "a/3.bmp")
        elif change == "size":
            with (root / "a/1.bmp").open("ab") as file:
                file.write(b" ")
        elif change == "bytes":
            write(root / "a/1.bmp", np.full((8, 8, 3), 8))
        assert change == "size" or len({p.stat().st_size for p in root.rglob("*.bmp")}) == 1
        labelled = {"num_classes": 0 if change == "labels" else 2}
        return build(root, memory_limit=0, **labelled).identity()

    changes = ["nothing", "name", "size", "labels", "bytes"]
    assert len({identity(change) for change in changes}) == len(changes)
    assert identity("again") == identity("nothing")


def test_changed_data_are_refused_or_accepted_and_nothing_else(classes: Path) -> None:
    assert build(classes).changed == "refuse"
    with pytest.raises(DataError, match=r"data\.changed=maybe: give refuse or accept"):
        build(classes, changed="maybe")
