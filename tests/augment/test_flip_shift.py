import pytest
import torch
from torch import Tensor

from gan.augment.flip_shift import FlipShift
from gan.errors import InputError

SIDE, MOST = 16, 2


def images(count: int) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def reflect(place: int) -> int:
    """Return the index inside the image of a position outside, by reflection at the border."""
    return abs(place) if place < SIDE else 2 * (SIDE - 1) - place


def translate(image: Tensor, down: int, right: int) -> Tensor:
    """Return an image (C, H, W) translated by whole pixels, extended by reflection."""
    rows, columns = ([reflect(i - by) for i in range(SIDE)] for by in (down, right))
    return image[:, rows][:, :, columns]


def find_transform(before: Tensor, after: Tensor) -> tuple[bool, int, int]:
    """Return the transformation of an image: flipped, down, right."""
    for flip in (False, True):
        start = before.flip(2) if flip else before
        for down in range(-MOST, MOST + 1):
            for right in range(-MOST, MOST + 1):
                if torch.equal(translate(start, down, right), after):
                    return flip, down, right
    pytest.fail("neither mirrored nor moved by whole pixels")


def test_probability_of_flips_and_range_of_translations() -> None:
    torch.manual_seed(0)
    x = images(400)
    moves = [find_transform(*pair) for pair in zip(x, FlipShift()(x), strict=True)]
    assert {(down, right) for _, down, right in moves} == {
        (i, j) for i in range(-MOST, MOST + 1) for j in range(-MOST, MOST + 1)
    }
    assert sum(flip for flip, *_ in moves) == pytest.approx(200, abs=40)


def test_flips_can_be_disabled() -> None:
    torch.manual_seed(0)
    x = images(40)
    assert not any(find_transform(*p)[0] for p in zip(x, FlipShift(flip=False)(x), strict=True))


def test_without_flip_and_translation_it_is_the_identity() -> None:
    assert torch.equal(FlipShift(flip=False, ratio=0.0)(images(4)), images(4))


def test_points_are_unchanged() -> None:
    points = torch.randn(5, 2, 1, 1)
    assert torch.equal(FlipShift(ratio=0.5)(points), points)


@pytest.mark.parametrize("ratio", [-0.1, 0.6])
def test_an_illegal_ratio_is_refused(ratio: float) -> None:
    with pytest.raises(InputError, match=rf"transform\.ratio={ratio}: give"):
        FlipShift(ratio=ratio)
