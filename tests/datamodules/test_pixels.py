"""Depths, transparency and shapes of image files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.image_folder import ImageFolder


def image(path: Path, **options: Any) -> torch.Tensor:
    """Return the pixels of the only image of a folder."""
    facts: dict[str, Any] = {"channels": 3, "resolution": 8, "batch_size": 1, "workers": 0}
    return module(path.parent, **(facts | options)).split("train").images(torch.tensor([0]))[0]


def module(root: Path, **facts: Any) -> ImageFolder:
    return ImageFolder(root=str(root), num_classes=0, **facts)


HALF = np.zeros((8, 8, 4), dtype=np.uint8)
HALF[:4] = (0, 0, 200, 255)  # below it, wholly transparent


@pytest.mark.parametrize(
    ("background", "value"), [("white", 255), ("black", 0), ("#808080", 128), ("rgb(9,9,9)", 9)]
)
def test_transparency_shows_the_background(tmp_path: Path, background: str, value: int) -> None:
    Image.fromarray(HALF).save(tmp_path / "half.png")
    pixels = image(tmp_path / "half.png", background=background)
    assert pixels[:, 0, 0].tolist() == [0, 0, 200]
    assert pixels[:, 7, 7].tolist() == [value] * 3


def test_half_transparent_pixels_are_mixed(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 128)).save(tmp_path / "mixed.png")
    assert image(tmp_path / "mixed.png").float().mean().item() == pytest.approx(127, abs=1)


@pytest.mark.parametrize("mode", ["LA", "PA", "P"])
def test_transparency_of_every_mode(tmp_path: Path, mode: str) -> None:
    clear = Image.fromarray(HALF).convert("LA" if mode == "LA" else "RGBA")
    if mode == "P":
        clear = clear.quantize(4)
    clear.save(tmp_path / "clear.png")
    pixels = image(tmp_path / "clear.png", channels=1)
    assert pixels[0, 7, 7].item() == 255
    assert pixels[0, 0, 0].item() < 60


@pytest.mark.parametrize(("value", "byte"), [(0, 0), (65535, 255), (32768, 128), (257 * 77, 77)])
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bits_are_scaled(tmp_path: Path, value: int, byte: int, suffix: str) -> None:
    Image.fromarray(np.full((8, 8), value, dtype=np.uint16)).save(tmp_path / f"deep.{suffix}")
    for channels in (1, 3):
        pixels = image(tmp_path / f"deep.{suffix}", channels=channels)
        assert set(pixels.flatten().tolist()) == {byte}


@pytest.mark.parametrize(
    ("kind", "words"), [(np.int32, "more than 16 bits"), (np.float32, "whole")]
)
def test_other_depths_are_refused(tmp_path: Path, kind: type, words: str) -> None:
    Image.fromarray(np.full((8, 8), 70_000, dtype=kind)).save(tmp_path / "deep.tiff")
    with pytest.raises(DataError, match=words):
        image(tmp_path / "deep.tiff")


def test_shapes(tmp_path: Path) -> None:
    wide = np.zeros((16, 32), dtype=np.uint8)
    wide[:, 16:] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    crops = {
        crop: image(tmp_path / "wide.png", crop=crop)[0] for crop in ("centre", "pad", "stretch")
    }
    assert crops["centre"][:, 0].tolist() == [0] * 8
    assert crops["centre"][:, 7].tolist() == [200] * 8
    assert crops["stretch"][:, 0].tolist() == [0] * 8
    assert crops["pad"][0].tolist() == crops["pad"][7].tolist() == [255] * 8
    assert crops["pad"][4, 0].item() == 0
    assert crops["pad"][4, 7].item() == 200
    gray = image(tmp_path / "wide.png", crop="pad", channels=1, background="#404040")
    assert gray[0, 0].tolist() == [64] * 8


def test_what_is_done_to_pixels_is_told(tmp_path: Path) -> None:
    Image.fromarray(HALF).save(tmp_path / "1.png")
    Image.fromarray(np.zeros((8, 8), dtype=np.uint16)).save(tmp_path / "2.png")
    Image.new("RGB", (8, 9)).save(tmp_path / "3.png")
    found = module(tmp_path, channels=3, resolution=8, batch_size=1, workers=0).found
    assert "1 of 3 files transparent, put on white" in found
    assert "1 of 3 files of 16 bits a channel, scaled to 8" in found
    assert "1 of 3 files not square, made so by data.crop=centre" in found


def test_nothing_outside_the_crop_enters_it(tmp_path: Path) -> None:
    wide = np.full((24, 72), 255, dtype=np.uint8)
    wide[:, 24:48] = 0
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert image(tmp_path / "wide.png").max() == 0
