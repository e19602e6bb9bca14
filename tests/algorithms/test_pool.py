"""The history of translated images."""

import pytest
import torch
from torch import Tensor

from gan.algorithms.pool import ImagePool
from gan.errors import InputError


def numbered(first: int, count: int) -> Tensor:
    """Return images (count, 1, 1, 1) that hold their numbers."""
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1)


def shown(pool: ImagePool, count: int, size: int = 1, first: int = 0) -> list[int]:
    """Return the numbers of the images that a pool returns for ``count`` new ones."""
    starts = range(first, first + count, size)
    return [int(n) for start in starts for n in pool(numbered(start, size)).flatten()]


def test_until_it_is_full_it_returns_what_it_gets() -> None:
    pool = ImagePool(50, 1, 1)
    assert shown(pool, 50) == list(range(50))
    assert pool.images.flatten().tolist() == list(range(50))


def test_half_of_the_images_are_exchanged() -> None:
    pool, count = ImagePool(50, 1, 1), 4000
    returned = shown(pool, count)
    own = sum(n == k for k, n in enumerate(returned[50:], 50)) / (count - 50)
    assert own == pytest.approx(0.5, abs=4 * 0.5 / (count - 50) ** 0.5)  # four deviations
    ages = [k - n for k, n in enumerate(returned) if k >= 1000 and n != k]
    assert min(ages) >= 1
    # one of 50 images leaves at every second step, each with the same probability
    assert sum(ages) / len(ages) == pytest.approx(100, rel=0.1)


def test_places_are_chosen_by_chance() -> None:
    size = 4
    returned = shown(ImagePool(size, 1, 1), 2000)
    gaps = [(k - n) % size for k, n in enumerate(returned) if n != k]
    for gap in range(size):
        assert gaps.count(gap) / len(gaps) == pytest.approx(1 / size, abs=0.08)


def test_each_image_is_returned_once_or_stored() -> None:
    pool = ImagePool(7, 1, 1)
    returned = shown(pool, 300)
    stored = [int(n) for n in pool.images.flatten()]
    later = returned[7:]
    first = sorted(n for n in later if n < 7)
    assert len(set(first)) == len(first)
    assert sorted(later + stored) == list(range(300))


def test_choices_depend_on_seed_and_number_alone() -> None:
    one, other, seeded = ImagePool(5, 1, 1, 3), ImagePool(5, 1, 1, 3), ImagePool(5, 1, 1, 4)
    torch.manual_seed(0)
    expected = shown(one, 60)
    torch.manual_seed(1)
    assert shown(other, 60, size=4) == expected
    assert shown(seeded, 60) != expected
    assert shown(ImagePool(5, 1, 1, 3).another(), 60) != expected


def test_it_goes_on_from_its_state() -> None:
    whole, cut = ImagePool(5, 1, 1), ImagePool(5, 1, 1)
    expected = shown(whole, 80)
    assert shown(cut, 40) == expected[:40]
    resumed = ImagePool(5, 1, 1)
    resumed.load_state_dict(cut.state_dict())
    assert shown(resumed, 40, first=40) == expected[40:]
    assert torch.equal(resumed.images, whole.images)


def test_size_0_returns_each_image() -> None:
    assert shown(ImagePool(0, 1, 1), 20, size=4) == list(range(20))


def test_what_is_returned_does_not_change_with_the_pool() -> None:
    pool = ImagePool(1, 1, 1)
    pool(numbered(0, 1))
    returned = [pool(numbered(n, 1)) for n in range(1, 20)]
    values = [int(image) for image in returned]
    pool.images.fill_(-1)
    assert [int(image) for image in returned] == values
    assert -1 not in values


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.pool\.size=-1"):
        ImagePool(-1, 1, 1)
