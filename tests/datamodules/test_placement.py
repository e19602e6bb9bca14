"""Splits on another device than the CPU, without its memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import datamodules.file_split
import datamodules.split
from datamodules.domain import Recoloured
from datamodules.file_split import CachedSplit, FileSplit, PlacedSplit
from datamodules.image_files import Decoder, FolderSource
from datamodules.split import CHUNK, PointSplit, Split, Subset, TensorSplit, fits

META, CPU = torch.device("meta"), torch.device("cpu")
LABELS = torch.arange(6) % 3


def tensors() -> TensorSplit:
    return TensorSplit(torch.zeros(6, 3, 4, 4, dtype=torch.uint8), LABELS)


SPLITS: dict[str, Callable[[], Split]] = {
    "tensor": tensors,
    "points": lambda: PointSplit(torch.zeros(6, 2, 1, 1), LABELS),
    "subset": lambda: Subset(tensors(), torch.tensor([4, 1, 0])),
    "recoloured": lambda: Recoloured(tensors(), 1),
}


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every device have room."""
    for module in (datamodules.split, datamodules.file_split):
        monkeypatch.setattr(module, "fits", lambda nbytes, device: True)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("name", SPLITS)
def test_images_move_and_labels_stay(name: str) -> None:
    split = SPLITS[name]()
    moved = split.on_device(META)
    index = torch.tensor([2, 0])
    images, labels = moved.fetch(index)
    assert (type(moved), len(moved)) == (type(split), len(split))
    assert images.device == META
    assert (images.shape, images.dtype) == (split.images(index).shape, split.images(index).dtype)
    assert moved.labels is not None
    assert split.labels is not None
    assert moved.labels.equal(split.labels)
    assert labels is not None
    assert labels.equal(split.labels[index])


@pytest.mark.parametrize("name", SPLITS)
def test_without_room_images_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datamodules.split, "fits", lambda nbytes, device: False)
    assert SPLITS[name]().on_device(META).images(torch.tensor([0])).device == CPU


@pytest.mark.usefixtures("room")
def test_a_split_that_is_there_is_not_copied() -> None:
    split = tensors()
    assert split.on_device(CPU) is split


@pytest.mark.parametrize(("free", "expected"), [(399, False), (400, True), (401, True)])
def test_four_times_the_images_must_be_free(
    free: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    assert fits(100, torch.device("cuda")) is expected
    assert not fits(100, CPU)


@pytest.mark.parametrize("chunk", [2, CHUNK])
def test_a_placed_split_has_the_pixels_and_digests_of_its_files(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    for k in range(5):
        pixels = random.integers(256, size=(4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
    source = FolderSource(tmp_path)
    files = FileSplit(Decoder(source, 3, 4), source.names(), LABELS[:5], workers=0)
    cached = CachedSplit(files, tmp_path / "cache")
    assert cached.on_device(CPU) is cached
    monkeypatch.setattr(datamodules.file_split, "CHUNK", chunk)
    monkeypatch.setattr(datamodules.file_split, "fits", lambda nbytes, device: nbytes == 5 * 48)
    placed = cached.on_device(CPU)
    assert isinstance(placed, PlacedSplit)
    assert placed.images(torch.arange(5)).equal(files.images(torch.arange(5)))
    assert placed.labels is files.labels
    assert (placed.fingerprint(), placed.identity()) == (files.fingerprint(), files.identity())
    assert cached.on_device(META).images(torch.arange(2)).device == META
