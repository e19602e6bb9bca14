from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gan.pictures import class_map, fit, picture, save_grid, scatter_plot, tile


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
