"""Pictures that share a number of bytes."""

from base64 import b64decode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gan.errors import InputError
from gan.reports.pictures import Album, _sides, encode, spread_evenly
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
    assert spread_evenly(paths, 11) == paths
    assert spread_evenly([], 3) == []


def test_sides_become_smaller_down_to_the_smallest() -> None:
    assert list(_sides(480)) == [480, 320, 213, 142]
    assert list(_sides(144)) == [144, 96]
    assert list(_sides(95)) == []


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("JPEG", "L"), ("GIF", "P")])
def test_a_picture_of_any_format_is_one_webp(tmp_path: Path, kind: str, mode: str) -> None:
    path = tmp_path / "picture"
    Image.new(mode, (300, 2), 1 if mode == "P" else 200 if mode == "L" else (200,) * 3).save(
        path, kind
    )
    found = encode(path, 100)
    assert (found.width, found.height, found.reduced) == (100, 1, True)
    assert found.src.startswith("data:image/webp;base64,")
    assert (decoded(found.src).format, getattr(decoded(found.src), "n_frames", 1)) == ("WEBP", 1)
    assert not encode(path, 300).reduced


def test_an_animation_runs_on_without_end(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (80 * i, 0, 0)) for i in range(4)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:], loop=3)
    film = decoded(encode(tmp_path / "film.gif", 8).src)
    film.load()
    assert (film.info["duration"], film.info["loop"], getattr(film, "n_frames", 1)) == (120, 0, 4)
    assert film.convert("RGB").getpixel((4, 4)) == pytest.approx((0, 0, 0), abs=8)  # the first


@pytest.fixture
def alike(tmp_path: Path) -> list[Path]:
    """Return nine equal pictures, which are encoded in equally many characters."""
    paths = [tmp_path / f"alike{step}.png" for step in range(9)]
    for path in paths:
        path.write_bytes(png(0, (120, 96)))
    return paths


@pytest.mark.parametrize(
    ("place", "most", "steps"),
    [
        (9, 40, range(9)),  # exactly as much as all need
        (8.99, 40, (0, 1, 2, 3, 5, 6, 7, 8)),
        (100, 3, (0, 4, 8)),
        (4, 40, (0, 3, 5, 8)),
        (100, 1, (8,)),
    ],
)
def test_a_film_has_as_many_pictures_as_its_share_holds(
    alike: list[Path], place: float, most: int, steps: Sequence[int]
) -> None:
    size = len(encode(alike[0], 480).src)
    album = Album(int(2 * place * size), 2, 480)
    found = album.film(alike, most)
    assert [alike.index(path) for path in found] == list(steps)
    assert album.left_out == 9 - len(steps)
    assert {(picture.width, picture.height) for picture in found.values()} == {(120, 96)}


@pytest.mark.parametrize(
    ("count", "place", "width"), [(1, 1, 120), (1, 0.9, 96), (2, 2, 120), (4, 4, 120), (9, 4, 120)]
)
def test_pictures_are_reduced_until_four_have_a_place(
    alike: list[Path], count: int, place: float, width: int
) -> None:
    album = Album(int(place * len(encode(alike[0], 120).src)), 1, 144)
    last = [*album.film(alike[:count]).values()][-1]
    assert last.width == width


def test_larger_pictures_make_room_for_the_others(tmp_path: Path) -> None:
    """The last one is small, so that more are tried than have a place."""
    paths = [tmp_path / f"{k}.png" for k in range(9)]
    for path in paths[:-1]:
        path.write_bytes(png(0, (120, 96)))
    Image.new("RGB", (120, 96)).save(paths[-1])
    large, small = (len(encode(path, 480).src) for path in (paths[0], paths[-1]))
    album = Album(4 * large + small, 1, 480)
    found = album.film(paths)
    assert [paths.index(path) for path in found] == [1, 3, 5, 7, 8]
    assert album.left_out == 4


def test_a_film_without_a_place_or_with_a_damaged_end_is_left_out(alike: list[Path]) -> None:
    album = Album(40, 1, 480)
    assert album.film(alike) == album.film([]) == {}
    assert (album.left_out, album.faults) == (9, [])
    alike[-1].write_bytes(b"none")
    album = Album(10**6, 0, 480)
    assert album.film(alike) == {}
    assert (album.left_out, len(album.faults)) == (8, 1)


def test_a_gallery_shares_its_place_evenly(alike: list[Path]) -> None:
    size = len(encode(alike[0], 480).src)
    for place, count in ((3, 3), (2.99, 0)):
        album = Album(int(2 * place * size), 2, 120)
        assert len(album.gallery(alike[:3])) == count
        assert album.left_out == 3 - count
    album = Album(10 * size, 1, 480)
    alike[1].write_bytes(b"none")
    assert list(album.gallery(alike[:3])) == [alike[0], alike[2]]
    assert (len(album.faults), album.left_out, album.gallery([])) == (1, 0, {})
