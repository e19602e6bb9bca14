from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from gan import pictures
from gan.errors import InputError
from gan.pictures import (
    alternate_rows,
    class_map,
    fit,
    forth_and_back,
    picture,
    read_picture,
    same_shape,
    save_animation,
    save_grid,
    scatter_plot,
    tile,
)


def ink(drawn: Tensor) -> Tensor:
    """Return where something is drawn, a bool mask."""
    return drawn.ne(255).any(0)


def centre(drawn: Tensor) -> tuple[float, float]:
    """Return the centre of the drawn pixels, x to the right and y up, in [-1, 1]."""
    row, column = ink(drawn).nonzero().double().mean(0).add(0.5).div(drawn.shape[1] / 2).sub(1)
    return column.item(), -row.item()


def test_images_become_a_grid_and_points_a_scatter_plot() -> None:
    images = torch.rand(6, 3, 8, 8) * 2 - 1
    assert picture(images, 3).equal(tile(images, 3))
    points = torch.rand(6, 2) * 2 - 1
    assert picture(points[:, :, None, None], 3).equal(scatter_plot(points))


def test_position_of_a_point() -> None:
    for x, y in ((0.5, 0.25), (-0.5, 0.75), (0.0, -0.9)):
        drawn = scatter_plot(torch.tensor([[x, y]]))
        assert (drawn.shape[0], drawn.dtype) == (3, torch.uint8)
        assert drawn.shape[1] == drawn.shape[2]
        assert max(abs(a - b) for a, b in zip(centre(drawn), (x, y), strict=True)) < 0.006
        assert 4 <= ink(drawn).sum() <= 16


def test_points_out_of_range_are_on_the_border() -> None:
    for far in ((3.0, 0.0), (-1.5, 0.0), (0.0, 2.0), (0.0, -7.0)):
        x, y = centre(scatter_plot(torch.tensor([far])))
        border = [min(max(value, -1), 1) for value in far]
        assert max(abs(x - border[0]), abs(y - border[1])) < 0.01


def test_many_points_are_darker_than_one() -> None:
    one, two = (scatter_plot(torch.zeros(count, 2)).long() for count in (1, 2))
    assert ink(one).equal(ink(two))
    assert (two[:, ink(two)] < one[:, ink(one)]).all()


def test_a_saved_picture_is_unchanged(tmp_path: Path) -> None:
    drawn = scatter_plot(torch.rand(50, 2) * 2 - 1)
    save_grid(drawn, tmp_path / "new" / "points.png")
    with Image.open(tmp_path / "new" / "points.png") as saved:
        assert saved.mode == "RGB"
        assert saved.size == (drawn.shape[2], drawn.shape[1])
        assert saved.getpixel((7, 9)) == tuple(drawn[:, 9, 7].tolist())


def test_an_image_fits_into_a_white_square() -> None:
    image = torch.tensor([[[-1.0, 0, 0.5]]])
    cells = fit(image, 8)
    assert cells.shape == (3, 8, 8)
    for channel in cells:
        assert channel[3:5, 1:7].tolist() == [[-1, -1, 0, 0, 0.5, 0.5]] * 2
        assert (channel == 1).sum() == 64 - 12
    wide = fit(torch.full((3, 10, 40), -0.5), 8)
    torch.testing.assert_close(wide[:, 3:5], torch.full((3, 2, 8), -0.5))
    assert torch.equal(wide[:, (0, 1, 2, 5, 6, 7)], torch.ones(3, 6, 8))


def test_a_map_in_the_colours_of_classes() -> None:
    points = torch.tensor([[-1.0, 1.0], [1.0, 1.0], [0.0, -1.0]])
    drawn = class_map(points, torch.tensor([0, 2, 0]), ["cat", "dog", "fox"])
    side = drawn.shape[1]
    blue, green = (torch.tensor(c).view(3, 1) for c in ((31, 119, 180), (44, 160, 44)))
    assert (drawn[:, 12, 12] == blue[:, 0]).all()  # the y axis points up
    assert (drawn[:, 12, side - 12] == green[:, 0]).all()
    assert (drawn[:, side - 12, side // 2] == blue[:, 0]).all()
    legend = drawn[:, :, side:].flatten(1)
    assert [int((legend == ink).all(0).sum()) for ink in (blue, green)] == [13 * 13, 13 * 13]
    assert class_map(points, None, []).shape == (3, side, side)


def test_many_classes_have_different_colours() -> None:
    count = 40
    drawn = class_map(torch.zeros(count, 2), torch.arange(count), [""] * count)
    assert drawn.shape[1] > count * 20
    legend = drawn[:, :, 700:712].flatten(1).T
    assert len(torch.unique(legend, dim=0)) == count + 1


def small(grid: Tensor, factor: int) -> list[list[int]]:
    """Return the red pixels of an enlarged grid, one for each square of equal pixels."""
    reduced = grid[:, ::factor, ::factor]
    assert torch.equal(grid, reduced.repeat_interleave(factor, 1).repeat_interleave(factor, 2))
    return [[int(level) for level in row] for row in reduced[0]]


def test_images_of_a_grid_have_white_borders() -> None:
    """Two columns of images of 1 x 2 pixels; the free cell of the last row is white."""
    images = torch.tensor([[0.0, 51], [102, 153], [204, 0]]).view(3, 1, 1, 2) / 127.5 - 1
    grid = tile(images, 2)
    assert grid.shape == (3, 52 * 8, 52 * 10)  # 512 pixels at least
    white = [255] * 10
    rows = [white, white, [255, 255, 0, 51, 255, 255, 102, 153, 255, 255], white, white]
    rows += [[255, 255, 204, 0, 255, 255, 255, 255, 255, 255], white, white]
    assert small(grid, 52) == rows
    assert torch.equal(grid, grid[:1].expand(3, -1, -1))
    assert torch.equal(tile(images[:2], 9), tile(images[:2], 2))


def test_one_image_has_no_border_and_large_grids_are_not_enlarged() -> None:
    colours = torch.tensor([0.0, 51, 102]).view(1, 3, 1, 1).expand(1, 3, 2, 4) / 127.5 - 1
    grid = tile(colours, 1)
    assert grid.shape == (3, 2 * 128, 4 * 128)
    assert grid[:, 7, 300].tolist() == [0, 51, 102]
    for side, factor in ((511, 2), (512, 1), (600, 1)):
        assert tile(torch.zeros(1, 1, 1, side), 1).shape == (3, factor, side * factor)


def test_images_of_the_shape_of_others() -> None:
    gray = torch.tensor([[1.0, 2.0]]).view(1, 1, 1, 2)
    assert same_shape(gray, torch.zeros(5, 3, 2, 4)).tolist() == [[[[1, 1, 2, 2]] * 2] * 3]
    colours = torch.arange(12.0).view(1, 3, 2, 2)
    assert torch.equal(same_shape(colours, torch.zeros(1, 3, 2, 2)), colours)
    assert same_shape(colours, torch.zeros(1, 3, 1, 1)).shape == (1, 3, 1, 1)


def test_rows_of_two_sets_alternate() -> None:
    upper, lower = (torch.tensor(v).view(3, 1, 1, 1) for v in ([2.0, 3, 4], [5.0, 6, 7]))
    assert alternate_rows(upper, lower, 2).flatten().tolist() == [2, 3, 5, 6, 4, 1, 7, 1]
    assert alternate_rows(upper, lower, 3).flatten().tolist() == [2, 3, 4, 5, 6, 7]


def test_a_thin_image_that_is_reduced_keeps_a_pixel() -> None:
    square = fit(torch.full((3, 1, 100), -1.0), 10)
    assert (square < -0.999).all(0).nonzero().tolist() == [[4, column] for column in range(10)]
    equal = torch.rand(3, 6, 6) * 2 - 1
    assert torch.allclose(fit(equal, 6), equal)
    assert fit(equal, 11)[:, 2:8, 2:8].equal(equal)  # not enlarged by fractions


def test_the_ink_of_points_that_overlap() -> None:
    for count, colour in ((1, [143, 187, 218]), (2, [87, 153, 199]), (40, [31, 119, 180])):
        drawn = scatter_plot(torch.zeros(count, 2))
        assert drawn.shape == (3, 512, 512)
        rows = ink(drawn).nonzero()
        assert (rows.min(0).values.tolist(), rows.max(0).values.tolist()) == ([255] * 2, [257] * 2)
        assert drawn[:, 256, 256].tolist() == colour
    corner = scatter_plot(torch.tensor([[1.0, -1.0]]))
    assert ink(corner).nonzero().tolist() == [[510, 510], [510, 511], [511, 510], [511, 511]]


def test_marks_and_names_of_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, Any, dict[str, Any]]] = []

    def noting(kind: str) -> Any:
        return lambda *place, **how: drawn.append((kind, place, how))

    draw = SimpleNamespace(**{kind: noting(kind) for kind in ("ellipse", "rectangle", "text")})
    monkeypatch.setattr(ImageDraw, "Draw", lambda paper: draw)
    points = torch.tensor([[-1.0, 1.0], [0.5, 0.0]])
    names = ["a" * 20, "b", "c"]
    shape = class_map(points, torch.tensor([2, 0]), names).shape
    blue, green = (31, 119, 180), (44, 160, 44)
    points_drawn, legend = drawn[:2], drawn[2:]
    assert shape == (3, 700, 880)
    assert points_drawn == [
        ("ellipse", ((10, 10, 14, 14),), {"fill": green}),
        ("ellipse", ((517, 348, 521, 352),), {"fill": blue}),
    ]
    assert [(kind, *place, how["fill"]) for kind, place, how in legend] == [
        ("rectangle", (700, 11, 712, 23), blue),
        ("text", (720, 8), "a" * 16, "black"),
        ("rectangle", (700, 33, 712, 45), green),
        ("text", (720, 30), "c", "black"),
    ]
    assert legend[1][2]["font"].size == 16
    classes = torch.arange(40)
    assert class_map(torch.zeros(40, 2), classes, ["x"] * 40).shape == (3, 41 * 22, 880)
    drawn.clear()
    assert class_map(points, None, names).shape == (3, 700, 700)
    assert [how["fill"] for _, _, how in drawn] == [blue, blue]


def test_colours_of_classes_beyond_the_tenth() -> None:
    assert pictures._colour(9) == (23, 190, 207)
    assert [pictures._colour(label) for label in (10, 11, 12)] == [
        (95, 102, 20),
        (191, 46, 230),
        (20, 102, 61),
    ]


def test_a_film_forth_and_back() -> None:
    assert forth_and_back(torch.arange(4)).tolist() == [0, 1, 2, 3, 2, 1]


@pytest.mark.parametrize(("count", "size"), [(1, (512, 512)), (3, (522, 180)), (6, (528, 288))])
def test_an_animation_is_endless_with_at_most_four_in_a_row(
    tmp_path: Path, count: int, size: tuple[int, int]
) -> None:
    levels = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1, 1)
    save_animation(levels.expand(3, count, 1, 8, 8), tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.info["loop"] == 0
        assert film.info["duration"] == 60
        assert getattr(film, "n_frames", 1) == 3
        assert film.size == tuple(tile(torch.zeros(count, 1, 8, 8), 4).shape[:0:-1])
        assert max(film.size) >= 512


@pytest.mark.parametrize(
    ("mode", "size", "reason"),
    [
        ("I;16", (4, 2), "more than 8 bits a channel"),
        ("F", (4, 2), "more than 8 bits a channel"),
        ("L", (2, 4), "2x4 pixels, but the run draws 4x2"),
        ("L", (4, 3), "4x3 pixels"),
        (None, None, "there is no such file"),
        ("none", None, "no whole picture"),
    ],
)
def test_a_picture_that_cannot_be_an_image(
    tmp_path: Path, mode: str | None, size: tuple[int, int] | None, reason: str
) -> None:
    path = tmp_path / "a.tiff"
    if size is not None and mode is not None:
        Image.new(mode, size).save(path)
    elif mode is not None:
        path.write_text(mode)
    with pytest.raises(InputError, match=rf"^image={path}: {reason}"):
        read_picture("image", str(path), torch.Size((1, 2, 4)))
