import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import image_files
from datamodules.errors import DataError
from datamodules.picture_files import PictureFiles


def draw(path: Path, size: tuple[int, int] = (7, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(3 * size[0] * size[1], dtype=np.uint8).reshape(*size[::-1], 3)
    Image.fromarray(pixels).save(path)
    return path


def test_pictures_keep_their_size_or_become_squares(tmp_path: Path) -> None:
    draw(tmp_path / "b" / "0.png")
    draw(tmp_path / "a.bmp")
    files = PictureFiles(str(tmp_path), 3)
    assert files.names == ["a.bmp", "b/0.png"]
    expected = np.arange(84, dtype=np.uint8).reshape(4, 7, 3)
    assert np.array_equal(files.read("b/0.png").permute(1, 2, 0).numpy(), expected)
    assert files.found == ()
    squares = PictureFiles(str(tmp_path), 1, 5)
    assert squares.read("a.bmp").shape == (1, 5, 5)
    assert squares.found == ("2 of 2 files not square, made so by data.crop=centre",)


def test_a_single_picture_of_any_name(tmp_path: Path) -> None:
    path = draw(tmp_path / "0.png").rename(tmp_path / ".hidden")
    files = PictureFiles(str(path), 3)
    assert files.names == [".hidden"]
    assert files.read(".hidden").shape == (3, 4, 7)


def test_a_zip_file_of_any_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures", "w") as archive:
        archive.write(draw(tmp_path / "0.png"), "in/0.png")
    assert PictureFiles(str(tmp_path / "pictures"), 3).names == ["in/0.png"]


def test_files_that_are_too_large_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "MAX_FILE_BYTES", 10)
    with pytest.raises(DataError, match=r"0\.png: is larger than 10 bytes"):
        PictureFiles(str(draw(tmp_path / "0.png")), 3)
