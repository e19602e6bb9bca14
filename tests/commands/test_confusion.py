"""Where the picture of a confusion matrix has its cells, texts and colours."""

import pytest
import torch
from PIL import Image

from gan.commands.confusion import Confusion, _Sheet

LABELS = torch.tensor([0] * 10 + [1] * 4 + [2] * 4)
TOLD = torch.tensor([0] * 9 + [1] + [0] * 3 + [1] + [1] * 2 + [2] * 2)
NAMES = ["a", "bb", "a long name of a class beyond twenty letters"]
WIDTH = _Sheet([[1]], ["a"])._width
CELL = max(WIDTH("9"), 14) + 2 * 6
MARGIN = WIDTH(NAMES[2][:20]) + 14 + 4 * 6  # title and names
SIDE = 3 * CELL
Box = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def drawn() -> Image.Image:
    """Return the picture of a matrix of three classes."""
    return Confusion.of(LABELS, TOLD, NAMES).picture()


def ink(picture: Image.Image, box: Box, dark: bool = True) -> Box:
    """Return the smallest box of dark, or of white, pixels within a box."""
    levels = picture.crop(box).convert("L")
    found = levels.point(lambda level: 255 * (level < 90 if dark else level > 200)).getbbox()
    assert found is not None
    return box[0] + found[0], box[1] + found[1], box[0] + found[2], box[1] + found[3]


def test_titles_are_in_the_middle_of_the_matrix(drawn: Image.Image) -> None:
    assert drawn.size == (MARGIN + SIDE + 12,) * 2
    left, top, right, bottom = ink(drawn, (24, 0, drawn.width, 24))
    assert abs((left + right) / 2 - (MARGIN + SIDE / 2)) <= 2
    assert abs((top + bottom) / 2 - 13) <= 3
    left, top, right, bottom = ink(drawn, (0, 24, 24, drawn.width))
    assert abs((top + bottom) / 2 - (MARGIN + SIDE / 2)) <= 2
    assert abs((left + right) / 2 - 13) <= 3


@pytest.mark.parametrize("k", range(3))
def test_names_end_at_their_row_and_column(drawn: Image.Image, k: int) -> None:
    place = MARGIN + k * CELL
    _, top, right, bottom = ink(drawn, (25, place + 1, MARGIN, place + CELL))
    assert MARGIN - 10 <= right <= MARGIN - 6
    assert abs((top + bottom) / 2 - place - CELL / 2) <= 4
    left, _, right, bottom = ink(drawn, (place + 1, 25, place + CELL, MARGIN))
    assert MARGIN - 10 <= bottom <= MARGIN - 5
    assert abs((left + right) / 2 - place - CELL / 2) <= 4


@pytest.mark.parametrize(
    ("row", "column", "share"), [(0, 0, 0.9), (0, 1, 0.1), (1, 0, 0.75), (2, 1, 0.5), (2, 2, 0.5)]
)
def test_a_count_is_in_the_middle_of_its_cell(
    drawn: Image.Image, row: int, column: int, share: float
) -> None:
    x, y = MARGIN + column * CELL, MARGIN + row * CELL
    inside = (x + 2, y + 2, x + CELL - 2, y + CELL - 2)
    left, top, right, bottom = ink(drawn, inside, dark=share <= 0.5)
    assert abs((left + right) / 2 - x - CELL / 2) <= 2
    assert abs((top + bottom) / 2 - y - CELL / 2) <= 3
    assert right - left < CELL / 2
    assert drawn.getpixel((x, y)) == (220, 220, 220)
    colour = [255 + (level - 255) * share for level in (31, 119, 180)]
    assert drawn.getpixel((x + 2, y + 2)) == pytest.approx(colour, abs=0.6)


def test_a_cell_without_images_is_blank(drawn: Image.Image) -> None:
    x, y = MARGIN + 2 * CELL, MARGIN
    inside = drawn.crop((x + 2, y + 2, x + CELL - 2, y + CELL - 2))
    assert inside.getcolors() == [((CELL - 4) ** 2, (255, 255, 255))]


def test_cells_are_as_wide_as_the_largest_count() -> None:
    assert _Sheet([[1, 123456], [7, 8]], ["a", "b"]).cell == WIDTH("123456") + 12


@pytest.mark.parametrize(("classes", "texts"), [(200, True), (201, False)])
def test_texts_are_left_out_beyond_200_classes(
    classes: int, texts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Image.new("RGB", (1, 1))
    monkeypatch.setattr(_Sheet, "draw", lambda *_: page)
    one = torch.tensor([0])
    picture = Confusion.of(one, one, [str(k) for k in range(classes)]).picture()
    assert (picture is page) == texts
    if not texts:
        assert picture.size == (4 * 201, 4 * 201)
