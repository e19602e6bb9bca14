"""Pictures that share a number of bytes."""

from base64 import b64decode
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gan.errors import InputError
from gan.reports.pictures import Album, encode, spread_evenly
from tests.reports.made_up import png


def decoded(src: str) -> Image.Image:
    return Image.open(BytesIO(b64decode(src.partition("base64,")[2])))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{step}.png" for step in range(9)]
    for step, path in enumerate(paths):
        path.write_bytes(png(step, (50, 40)))
    return paths


def test_a_picture_is_reduced_to_its_side(pictures: list[Path]) -> None:
    small, whole = encode(pictures[0], 25), encode(pictures[0], 1000)
    assert (small.width, small.height, small.reduced) == (25, 20, True)
    assert (whole.width, whole.height, whole.reduced) == (50, 40, False)
    assert decoded(small.src).size == (25, 20)


@pytest.mark.parametrize("share", [9_000, 12_000, 10_000_000])
def test_a_film_stays_within_its_share_and_has_the_last_picture(
    pictures: list[Path], share: int
) -> None:
    album = Album(share, 1, 480)
    found = album.film(pictures)
    assert sum(len(picture.src) for picture in found.values()) <= share
    assert list(found)[-1] == pictures[-1]
    assert len(found) + album.left_out == len(pictures)
    assert (len(found) == len(pictures)) == (share == 10_000_000)


def test_a_gallery_leaves_out_what_has_no_place(pictures: list[Path]) -> None:
    album = Album(100, 1, 480)
    assert not album.gallery(pictures[:2])
    assert album.left_out == 2
    assert len(Album(10**6, 1, 480).gallery(pictures[:2])) == 2


def test_an_animation_keeps_its_frames(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(0, 250, 2)]
    path = tmp_path / "film.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert getattr(decoded(encode(path, 8).src), "n_frames", 1) == 42  # every third of 125


def test_what_is_no_picture_is_named(tmp_path: Path, pictures: list[Path]) -> None:
    pictures[0].write_bytes(png(0, (50, 40))[:500])
    (tmp_path / "none.png").mkdir()
    with pytest.raises(InputError, match="no whole picture"):
        encode(tmp_path / "none.png", 100)
    album = Album(10**6, 1, 480)
    assert pictures[0] not in album.film(pictures[:3])
    assert len(album.faults) == 1
    assert pictures[0].name in album.faults[0]


def test_pictures_are_spread_over_time() -> None:
    paths = [Path(str(i)) for i in range(11)]
    assert [p.name for p in spread_evenly(paths, 3)] == ["0", "5", "10"]
    assert [p.name for p in spread_evenly(paths, 1)] == ["10"]
    assert spread_evenly(paths, 99) == paths
