import pytest
import torch
from torch import Tensor

from gan.augment.flip_shift import FlipShift
from gan.errors import InputError

SIDE, MOST = 16, 2


def images(count: int) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def reflected(place: int) -> int:
    """Return where a place outside the frame is seen in the mirror of its edge."""
    return abs(place) if place < SIDE else 2 * (SIDE - 1) - place


def moved(image: Tensor, down: int, right: int) -> Tensor:
    """Return an image (C, H, W) moved by whole pixels, its reflection coming in."""
    rows, columns = ([reflected(i - by) for i in range(SIDE)] for by in (down, right))
    return image[:, rows][:, :, columns]


def move(before: Tensor, after: Tensor) -> tuple[bool, int, int]:
    """Return what T did to an image: mirrored, down, right."""
    for flip in (False, True):
        start = before.flip(2) if flip else before
        for down in range(-MOST, MOST + 1):
            for right in range(-MOST, MOST + 1):
                if torch.equal(moved(start, down, right), after):
                    return flip, down, right
    pytest.fail("neither mirrored nor moved by whole pixels")


def test_images_are_mirrored_half_of_the_time_and_moved_by_an_eighth_at_most() -> None:
    torch.manual_seed(0)
    x = images(400)
    moves = [move(*pair) for pair in zip(x, FlipShift()(x), strict=True)]
    assert {(down, right) for _, down, right in moves} == {
        (i, j) for i in range(-MOST, MOST + 1) for j in range(-MOST, MOST + 1)
    }
    assert sum(flip for flip, *_ in moves) == pytest.approx(200, abs=40)


def test_digits_need_not_be_mirrored() -> None:
    torch.manual_seed(0)
    x = images(40)
    assert not any(move(*p)[0] for p in zip(x, FlipShift(flip=False)(x), strict=True))


def test_neither_is_the_identity() -> None:
    assert torch.equal(FlipShift(flip=False, ratio=0.0)(images(4)), images(4))


def test_points_stay_where_they_are() -> None:
    points = torch.randn(5, 2, 1, 1)
    assert torch.equal(FlipShift(ratio=0.5)(points), points)


@pytest.mark.parametrize("ratio", [-0.1, 0.6])
def test_impossible_moves_are_refused(ratio: float) -> None:
    with pytest.raises(InputError, match=rf"transform\.ratio={ratio}: give"):
        FlipShift(ratio=ratio)
