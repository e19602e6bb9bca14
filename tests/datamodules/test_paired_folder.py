import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datamodules.errors import DataError
from datamodules.file_split import FileSplit
from datamodules.paired_folder import PairedFolder
from gan.settings.validation import validate
from tests.conftest import Compose
from tests.datamodules.test_image_datamodule import process
from tests.runs.test_resume import Shell

COUNT = 40
SHIFT = 100  # of the values of B over those of A


def build(root: Path, **changes: Any) -> PairedFolder:
    facts: dict[str, Any] = {"channels": 3, "resolution": 8, "batch_size": 6, "steps": 9}
    return PairedFolder(**(facts | {"root": str(root), "workers": 0} | changes))


def pixels(value: int, shape: tuple[int, int] = (8, 8)) -> Any:
    """Return an image of a value, with a left column that is 50 larger."""
    image = np.full((*shape, 3), value, np.uint8)
    image[:, 0] += 50
    return image


def write(path: Path, image: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def pair(value: int) -> Any:
    """Return an image whose left half has a value, and the right half that of its partner."""
    return np.concatenate([pixels(value), pixels(value + SHIFT)], 1)


def values(images: Tensor) -> list[int]:
    """Return the values of images of [-1, 1]."""
    return [int(v) for v in images[:, 0, 0, 4].add(1).mul(127.5).round().tolist()]


def stored(module: PairedFolder, side: str, split: str) -> list[int]:
    images = module.domains[side].split(split)
    return [int(v) for v in images.images(torch.arange(len(images)))[:, 0, 0, 4].tolist()]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Write pairs side by side."""
    for i in range(COUNT):
        write(tmp_path / "set" / f"{i:02}.png", pair(i))
    return tmp_path / "set"


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Write pairs of two files of one name, in folders A and B."""
    for i in range(COUNT):
        write(tmp_path / "set" / "A" / f"{i:02}.png", pixels(i))
        write(tmp_path / "set" / "B" / f"{i:02}.bmp", pixels(i + SHIFT))
    return tmp_path / "set"


def flat(loader: Iterable[Any]) -> list[Tensor]:
    return [images for step in loader for batches in step for images, _ in batches]


@pytest.mark.parametrize("kind", ["beside", "named"])
@pytest.mark.parametrize("memory", [0, 2**20])
def test_pairs_stay_together(kind: str, memory: int, request: pytest.FixtureRequest) -> None:
    module = build(request.getfixturevalue(kind), n_critic=2, flip=True, memory_limit=memory)
    assert module.paired
    assert isinstance(module.split("train"), FileSplit) == (memory == 0)
    seen, mirrored = [], 0
    for step in module.train_dataloader():
        for (a, labels_a), (b, labels_b) in step:
            assert labels_a is labels_b is None
            assert a.shape == b.shape == (6, 3, 8, 8)
            assert [v + SHIFT for v in values(a)] == values(b)
            assert a.add(SHIFT / 127.5).sub(b).abs().max().item() < 1e-5  # mirrored or not
            seen += values(a)
            mirrored += int((a[:, 0, 0, 0] < a[:, 0, 0, 7]).sum())
    assert 0.3 < mirrored / len(seen) < 0.7
    size = len(module.split("train"))
    assert sorted(seen[:size]) == stored(module, "a", "train")


@pytest.mark.parametrize("kind", ["beside", "named"])
def test_a_tenth_is_held_out_of_both(kind: str, request: pytest.FixtureRequest) -> None:
    module = build(request.getfixturevalue(kind), validation=0.2)
    parts = [stored(module, "a", split) for split in ("train", "validation", "test")]
    assert sorted(v for part in parts for v in part) == list(range(COUNT))
    assert all(1 <= len(part) <= 16 for part in parts[1:])
    for split, part in zip(("train", "validation", "test"), parts, strict=True):
        assert stored(module, "b", split) == [v + SHIFT for v in part]
        assert values(module.domains["b"].batch(split, torch.tensor([0]))[0]) == [part[0] + SHIFT]


@pytest.mark.parametrize("kind", ["beside", "named"])
def test_the_domains_are_exchanged(kind: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(kind)
    plain, swapped = build(root), build(root, swap=True)
    for split in ("train", "test"):
        assert stored(swapped, "a", split) == stored(plain, "b", split)
        assert stored(swapped, "b", split) == stored(plain, "a", split)
    assert swapped.identity() != plain.identity()
    streamed = [build(root, swap=swap, memory_limit=0).identity() for swap in (False, True)]
    assert streamed[0] != streamed[1]


@pytest.mark.parametrize(
    ("pattern", "splits"),
    [
        ("{split}{side}/{i}.png", ("train", "test")),
        ("facades/{split}{side}/{i}.png", ("train", "val", "test")),
        ("{side}/{split}/{i}.png", ("train", "test")),
        ("{split}/{side}/{i}.png", ("train", "val")),
    ],
)
def test_splits_of_folders_of_two_sides(
    tmp_path: Path, pattern: str, splits: tuple[str, ...]
) -> None:
    for number, split in enumerate(splits):
        for i in range(3):
            for side, shift in {"A": 0, "B": SHIFT}.items():
                name = pattern.format(split=split, side=side, i=i)
                write(tmp_path / name, pixels(10 * number + i + shift))
    module = build(tmp_path)
    for number, split in enumerate(splits):
        expected = [10 * number + i for i in range(3)]
        name = {"val": "validation"}.get(split, split)
        assert stored(module, "a", name) == expected
        assert stored(module, "b", name) == [v + SHIFT for v in expected]


def test_splits_of_pairs_side_by_side_in_a_zip_file(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        for i in range(3):
            write(tmp_path / "maps" / split / f"{i}.png", pair(10 * number + i))
    with zipfile.ZipFile(tmp_path / "maps.zip", "w") as archive:
        for path in sorted((tmp_path / "maps").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    module = build(tmp_path / "maps.zip")
    for number, split in enumerate(("train", "validation", "test")):
        assert stored(module, "b", split) == [10 * number + i + SHIFT for i in range(3)]
    assert module.found == (
        "A: test from maps/test/, train from maps/train/, validation from maps/val/",
    )
    assert module.fingerprint("train") == build(tmp_path / "maps").fingerprint("train")


def test_files_of_two_sides_may_have_two_sizes(tmp_path: Path) -> None:
    """The crop is that of both: A is a reduced B."""
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = np.arange(16)[:, None] * 10
    write(tmp_path / "A" / "x.png", wide[::2, ::2])
    write(tmp_path / "B" / "x.png", wide)
    module = build(tmp_path)
    a, b = (module.domains[side].split("train").images(torch.tensor([0])) for side in "ab")
    assert a.float().sub(b.float()).abs()[:, :, :, 1:-1].max().item() <= 12
    assert module.found[-1] == "B: 1 of 1 files not square, made so by data.crop=centre"


def test_a_resumed_run_continues_exactly(beside: Path) -> None:
    module = build(beside, n_critic=2, flip=True)
    loader, whole = module.train_dataloader(), flat(module.train_dataloader())
    module.start_step = 4
    tail = flat(loader)
    assert len(tail) == 5 * 2 * 2
    assert all(x.equal(y) for x, y in zip(tail, whole[4 * 2 * 2 :], strict=True))


def test_two_processes_get_the_images_of_one(named: Path) -> None:
    whole, halves = flat(build(named, flip=True).train_dataloader()), []
    for rank in (0, 1):
        module = build(named, flip=True)
        process(module, rank, 2)
        module.setup("fit")
        halves.append(flat(module.train_dataloader()))
    for images, left, right in zip(whole, *halves, strict=True):
        assert images.equal(torch.cat([left, right]))


def test_a_gray_pair(beside: Path) -> None:
    module = build(beside, channels=1)
    assert module.domains["a"].batch("train", torch.tensor([0]))[0].shape == (1, 1, 8, 8)


def test_what_is_no_pair_is_named(beside: Path) -> None:
    write(beside / "odd.png", pixels(0, (8, 12)))
    with pytest.raises(DataError, match=r"odd\.png: 12x8 pixels: a pair is twice as wide as high"):
        build(beside)
    (beside / "odd.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"odd\.png: is not an image"):
        build(beside)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(np.rot90(pair(3)).copy()).save(beside / "odd.png", exif=exif)
    module = build(beside)
    assert sorted(stored(module, "b", "train") + stored(module, "b", "test")).count(3 + SHIFT) == 2


@pytest.mark.parametrize("side", ["A", "B"])
def test_an_image_without_a_partner_is_named(named: Path, side: str) -> None:
    other = {"A": "B", "B": "A"}[side]
    write(named / side / "more.png", pixels(1))
    with pytest.raises(DataError, match=rf"{side}/more\.png: has no partner .* in {other}: add it"):
        build(named)
    shutil.rmtree(named / other)
    with pytest.raises(DataError, match=rf"{side}/00\..*: has no partner of that name in {other}"):
        build(named)


def test_ambiguous_pairs_are_named(named: Path) -> None:
    write(named / "A" / "07.jpg", pixels(1))
    with pytest.raises(DataError, match=r"A/07\.png: A/07\.jpg has the same name: remove one"):
        build(named)
    (named / "A" / "07.jpg").unlink()
    write(named / "loose.png", pixels(1))
    with pytest.raises(DataError, match=r"loose\.png: is in no folder A or B"):
        build(named)
    (named / "loose.png").unlink()
    write(named / "A" / "07.png", pixels(1, (8, 9)))
    with pytest.raises(DataError, match=r"A/07\.png: 9x8 pixels and B/07\.bmp 8x8"):
        build(named)


def test_nothing_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no images"):
        build(tmp_path)
    with pytest.raises(DataError, match=r"absent: not found: point data\.root to"):
        build(tmp_path / "absent")


def test_the_words_of_a_command(config: Compose, beside: Path) -> None:
    node = config("model=pix2pix", "data=paired", f"data.root={beside}", "data.swap=true")
    validate(node)
    assert node.task == {}
    assert (node.data.channels, node.data.resolution, node.data.num_classes) == (3, 64, 0)


def test_pairs_are_trained(
    beside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell, run = Shell(capsys), tmp_path / "run"
    small = ["data=paired", f"data.root={beside}", "data.resolution=16", "steps=2", "metrics=[]"]
    small += ["batch_size=4", "accelerator=cpu", f"hydra.run.dir={run}", "size=tiny"]
    assert shell.train("model=dcgan", *small) == 2
    assert "the game has latents" in shell.err
    assert shell.train("model=pix2pix", "task=denoise", *small) == 2
    assert "task=denoise: data=paired has images of two domains: leave task= out" in shell.err
    assert shell.train("model=pix2pix", *small) == 0
    assert "domain B:    set/B: 36 in train; 3 x 16 x 16; no labels" in shell.out
    assert (run / "samples" / "step_00000002.png").is_file()
