"""Values at the ends of their ranges, and large numbers of files."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.utilities import rank_zero_only
from tqdm import tqdm

import datamodules.file_split
import datamodules.image_files
import datamodules.image_folder
import datamodules.layout
from datamodules.base import ImageDataModule
from datamodules.degradations.base import Degradation
from datamodules.degradations.deblur import Deblur
from datamodules.degradations.denoise import Denoise
from datamodules.degradations.superresolve import Superresolve
from datamodules.errors import DataError
from datamodules.image_files import FolderSource, ZipSource
from datamodules.image_folder import ImageFolder
from datamodules.image_set import ArraySet
from datamodules.pixel_cache import PixelCache
from datamodules.plane import Ring
from datamodules.split import TensorSplit
from datamodules.synthetic import Synthetic
from datamodules.unpaired import Unpaired

Build = Callable[..., ImageDataModule]
ACCEPTED: list[dict[str, Any]] = [
    *({"seed": 0}, {"workers": 0}, {"memory_limit": 0}, {"validation": 0.0}, {"batch_size": 50}),
    *({"steps": 1}, {"n_critic": 1}, {"labelled": 1}, {"labelled": 10}, {"changed": "accept"}),
    *({"validation": 0.99, "batch_size": 1}, {"batch_size": 1}),
]
REFUSED: list[dict[str, Any]] = [
    *({"seed": -1}, {"workers": -1}, {"memory_limit": -1}, {"validation": -0.01}),
    *({"steps": 0}, {"n_critic": 0}, {"labelled": 0}, {"labelled": 11}, {"validation": 1.0}),
    *({"resolution": 0}, {"channels": 0}, {"channels": 4}, {"num_classes": -1}, {"root": ""}),
    *({"cache": ""}, {"batch_size": 51}),
]


def name(changes: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in changes.items())


@pytest.mark.parametrize("changes", ACCEPTED, ids=name)
def test_the_least_and_the_largest_values_are_accepted(
    numbered: Build, changes: dict[str, Any]
) -> None:
    module = numbered(**changes)
    module.setup("fit")
    assert next(iter(module.train_dataloader()))


def train(build: Build, **changes: Any) -> None:
    """Build a data set and begin to train with it."""
    module = build(**changes)
    module.setup("fit")
    module.train_dataloader()


@pytest.mark.parametrize("changes", REFUSED, ids=name)
def test_values_beyond_them_are_refused(numbered: Build, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        train(numbered, **changes)


@pytest.mark.parametrize("value", [0.0, -0.5, float("inf"), float("nan")])
@pytest.mark.parametrize("make", [Denoise, Deblur], ids=["denoise", "deblur"])
def test_strengths_are_finite_and_positive(make: type[Degradation], value: float) -> None:
    with pytest.raises(DataError, match="must be above 0"):
        make(value)  # type: ignore[call-arg]


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan")])
def test_modes_have_a_width(std: float) -> None:
    with pytest.raises(DataError, match="must be above 0"):
        Ring(channels=2, resolution=1, num_classes=8, batch_size=1, std=std)


@pytest.mark.parametrize(("short", "fails"), [(0, False), (1, True)])
def test_the_disk_needs_room_for_the_images_alone(
    short: int, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PixelCache(tmp_path, "x", np.arange(3, dtype=np.uint64), (1, 2, 2))
    free = 3 * 4 - short
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    images = torch.arange(12, dtype=torch.uint8).view(3, 1, 2, 2)
    if fails:
        with pytest.raises(DataError, match="are free and 3 decoded images need"):
            cache.open(lambda first: [images[first:]])
    else:  # columns of a transposed tensor are not adjacent in memory
        found = cache.open(lambda first: [images.transpose(2, 3)])
        assert found.rows(torch.arange(3)).equal(images.transpose(2, 3))


def folder(root: Path, count: int) -> Path:
    for k in range(count):
        Image.new("RGB", (8 + k % 2, 8), (k, 0, 0)).save(root / f"{k:02}.bmp")
    return root


def module(root: Path, **changes: Any) -> ImageFolder:
    facts = {"channels": 3, "resolution": 8, "num_classes": 0, "batch_size": 1, "workers": 0}
    return ImageFolder(root=str(root), **(facts | {"memory_limit": 0} | changes))


@pytest.mark.parametrize(("size", "fails"), [(0, False), (1, True)])
def test_the_largest_file_is_read(
    size: int, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, 1)
    most = (tmp_path / "00.bmp").stat().st_size
    monkeypatch.setattr(datamodules.image_files, "MAX_FILE_BYTES", most - size)
    split = module(tmp_path).split
    if fails:
        with pytest.raises(DataError, match="is larger than"):
            split("train")
    else:
        assert len(split("train")) == 1


@pytest.mark.parametrize("short", [0, 1])
def test_the_largest_label_file_is_read(
    short: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, 2)
    (tmp_path / "labels.csv").write_text(text := "file,label\n00.bmp,a\n01.bmp,b\n")
    monkeypatch.setattr(datamodules.layout, "_MOST_LABEL_BYTES", len(text) - short)
    if short:
        with pytest.raises(DataError, match="it is no label file"):
            module(tmp_path, num_classes=None)
    else:
        assert module(tmp_path, num_classes=None).class_names == ("a", "b")


@pytest.mark.parametrize(("most", "step"), [(3, 3), (4, 2), (7, 2), (8, 1), (20, 1)])
def test_a_sample_of_many_files_is_evenly_spaced(
    most: int, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is told about pixels, and of the bytes in the identity."""
    folder(tmp_path, 10)
    for place in (datamodules.image_folder, datamodules.file_split):
        monkeypatch.setattr(place, "SAMPLED_FILES", most)
    data = module(tmp_path)
    names = data.layout.splits["train"]
    assert len(names) == 8
    sample = names[::step]
    odd = sum(int(name[:2]) % 2 for name in sample)
    assert data.found[-1].startswith(f"{odd} of {len(sample)} files not square")
    split, read = data.split("train"), list[str]()
    original = FolderSource.read

    def record(source: FolderSource, name: str) -> bytes:
        read.append(name)
        return original(source, name)

    monkeypatch.setattr(FolderSource, "read", record)
    split.identity()
    assert read == sample


def test_arrays_of_another_size_are_refused_by_number(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", np.zeros((2, 8, 6, 3), np.uint8))
    path = str(tmp_path / "set.npz")
    assert ArraySet(path, exact=False).resolution == 6
    for resolution in (8, 6):
        with pytest.raises(DataError, match=r"set\.npz, image 0: 6x8 pixels"):
            ArraySet(path, resolution).split("train")
    assert ArraySet(path, 4, exact=False).split("train").images(torch.arange(2)).shape[-1] == 4


@pytest.mark.parametrize("kind", [Synthetic, Ring])
def test_sets_without_files_refuse_a_folder(kind: type[ImageDataModule]) -> None:
    facts = {"channels": 2, "resolution": 1, "num_classes": 8, "batch_size": 1}
    with pytest.raises(DataError, match=r"data\.root=x: \w+ has no files: leave it out"):
        kind(**facts, root="x")  # type: ignore[arg-type]


def test_other_splits_may_lack_the_last_class(
    numbered: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = numbered()
    part = TensorSplit(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 3]))
    monkeypatch.setattr(data, "load", lambda split: part)
    assert data.split("test") is part
    with pytest.raises(DataError, match=r"data\.num_classes=5 .* set data\.num_classes=4"):
        data.split("train")


@pytest.mark.parametrize("make", [Denoise, Deblur, Superresolve])
def test_points_are_not_degraded(make: Callable[[], Degradation]) -> None:
    with pytest.raises(DataError, match="the data are points, not images"):
        make().check(2, 64)


@pytest.mark.parametrize("path", ["../a.png", "/a.png", "C:/a.png", "a/../../b.png"])
def test_paths_outside_an_archive_are_refused(path: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(path, b"x")
    with pytest.raises(DataError, match="is outside the archive"):
        ZipSource(tmp_path / "x.zip")


@pytest.mark.parametrize(("rank", "disabled"), [(0, None), (1, True)])
def test_one_process_shows_a_bar_of_progress(
    rank: int, disabled: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None leaves it to tqdm, which shows none where there is no terminal."""
    shown: list[dict[str, Any]] = []

    def bar(**options: Any) -> Any:
        shown.append(options)
        return tqdm(disable=True)

    monkeypatch.setattr(datamodules.file_split, "tqdm", bar)
    monkeypatch.setattr(rank_zero_only, "rank", rank, raising=False)
    module(folder(tmp_path, 3), memory_limit=10**6).split("train")
    assert [(options["disable"], options["leave"]) for options in shown] == [(disabled, False)]


def test_pairs_are_downloaded_if_both_sets_are(numbered: Build) -> None:
    facts: dict[str, Any] = {"channels": 1, "resolution": 4, "batch_size": 8, "steps": 20}
    pairs = Unpaired(a=numbered(), b=numbered(seed=0), **facts)
    assert pairs.may_download
    for side in pairs.sets.values():
        side.may_download = False
        assert not pairs.may_download
        side.may_download = True
