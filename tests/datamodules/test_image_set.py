from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.image_set import ArraySet, FileSet


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Write 20 images of the constant value k, in two class folders in turn."""
    for k in range(20):
        write(tmp_path / "set" / "ab"[k % 2] / f"{k:03}.png", np.full((8, 8, 3), k))
    return tmp_path / "set"


@pytest.mark.parametrize("memory_limit", [0, 10**6])
def test_all_images_count_in_the_order_of_their_numbers(files: Path, memory_limit: int) -> None:
    held = FileSet(str(files), memory_limit=memory_limit, workers=0)
    assert (held.resolution, held.name, len(held.split("train"))) == (8, "set", 20)
    batches = [images for images, labels in held.reals("train", 7) if labels is None]
    values = torch.cat(batches)[:, 0, 0, 0].add(1).mul(127.5).round()
    assert values.tolist() == list(range(20))
    with pytest.raises(DataError, match="has no test split"):
        held.split("test")


def test_arrays_are_the_files(files: Path, tmp_path: Path) -> None:
    held = FileSet(str(files))
    pixels = held.split("train").images(torch.arange(20)).permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "set.npz", pixels)
    assert ArraySet(str(tmp_path / "set.npz")).fingerprint("train") == held.fingerprint("train")


def test_gray_becomes_colour_and_colour_gray(tmp_path: Path) -> None:
    np.savez(tmp_path / "gray.npz", np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1))
    gray = ArraySet(str(tmp_path / "gray.npz")).split("train").images(torch.tensor([0]))
    assert gray.shape == (1, 3, 8, 8)
    assert torch.equal(gray[0, 2].flatten(), torch.arange(64))
    np.savez(tmp_path / "colour.npz", gray.permute(0, 2, 3, 1).numpy())
    one = ArraySet(str(tmp_path / "colour.npz"), channels=1).split("train")
    assert torch.equal(one.images(torch.tensor([0]))[0, 0], gray[0, 0])


def test_another_size_is_refused_or_resized_as_asked(files: Path) -> None:
    write(files / "a" / "100.png", np.full((12, 16, 3), 9))
    with pytest.raises(DataError, match=r"100\.png: 16x12 pixels where 8x8 .* resolution=8"):
        FileSet(str(files)).split("train")
    resized = FileSet(str(files), 4, exact=False).split("train")
    assert torch.equal(resized.images(torch.tensor([20])), torch.full((1, 3, 4, 4), 9).byte())


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((2, 8, 8, 3), np.uint8)}, "cannot be read"),
        ({"arr_0": np.zeros((2, 8, 8, 3), np.float32)}, "arr_0 is float32"),
        ({"arr_0": np.zeros((2, 3, 8, 8), np.uint8)}, r"of shape \(2, 3, 8, 8\)"),
        ({"arr_0": np.zeros((0, 8, 8, 3), np.uint8)}, "has no images"),
        ({"arr_0": np.array([{}])}, "cannot be read"),
    ],
)
def test_other_arrays_are_refused(
    arrays: dict[str, np.ndarray], words: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "set.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=words):
        ArraySet(str(tmp_path / "set.npz"))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no images"):
        FileSet(str(tmp_path))
