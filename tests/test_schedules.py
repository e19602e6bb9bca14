import math

import pytest

from gan.schedules import Constant, Cosine, Linear, Schedule


@pytest.mark.parametrize("images", [0, 1, 10**9])
def test_constant(images: int) -> None:
    assert Constant()(images) == 1.0


@pytest.mark.parametrize(
    ("images", "expected"), [(0, 1.0), (100, 1.0), (200, 0.775), (300, 0.55), (500, 0.1)]
)
def test_linear(images: int, expected: float) -> None:
    assert Linear(end=500, begin=100, final=0.1)(images) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("images", "course"),
    [(0, 1.0), (100, 1.0), (300, 0.5), (500, 0.0), (233, (1 + math.cos(math.pi * 133 / 400)) / 2)],
)
def test_cosine(images: int, course: float) -> None:
    expected = 0.1 + 0.9 * course
    assert Cosine(end=500, begin=100, final=0.1)(images) == pytest.approx(expected)


@pytest.mark.parametrize("kind", [Linear, Cosine])
def test_a_ramp_stays_at_its_end(kind: type[Linear] | type[Cosine]) -> None:
    assert kind(end=50, final=0.2)(10**9) == pytest.approx(0.2)
    assert kind(end=50)(50) == pytest.approx(0.0)


@pytest.mark.parametrize("kind", [Linear, Cosine])
@pytest.mark.parametrize(("begin", "end"), [(5, 5), (6, 5), (-1, 5), (0, 0)])
def test_an_empty_ramp_is_refused(kind: type[Linear] | type[Cosine], begin: int, end: int) -> None:
    with pytest.raises(ValueError, match=f"begin={begin}.*end={end}"):
        kind(end=end, begin=begin)


def test_a_schedule_is_a_function_of_images_alone() -> None:
    schedule: Schedule = Cosine(end=1000)
    there = [schedule(images) for images in range(0, 1000, 100)]
    back = [schedule(images) for images in reversed(range(0, 1000, 100))]
    assert there == back[::-1]
    assert there == sorted(there, reverse=True)
