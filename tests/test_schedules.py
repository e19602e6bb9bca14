import math

import pytest

from gan.schedules import Constant, Cosine, Growth, Linear, Schedule


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
def test_a_ramp_is_constant_after_its_end(kind: type[Linear] | type[Cosine]) -> None:
    assert kind(end=50, final=0.2)(10**9) == pytest.approx(0.2)
    assert kind(end=50)(50) == pytest.approx(0.0)


@pytest.mark.parametrize("kind", [Linear, Cosine])
@pytest.mark.parametrize(("begin", "end"), [(5, 5), (6, 5), (-1, 5), (0, 0)])
def test_an_empty_ramp_is_refused(kind: type[Linear] | type[Cosine], begin: int, end: int) -> None:
    with pytest.raises(ValueError, match=f"begin={begin}.*end={end}"):
        kind(end=end, begin=begin)


def test_a_schedule_depends_on_images_only() -> None:
    schedule: Schedule = Cosine(end=1000)
    there = [schedule(images) for images in range(0, 1000, 100)]
    back = [schedule(images) for images in reversed(range(0, 1000, 100))]
    assert there == back[::-1]
    assert there == sorted(there, reverse=True)


@pytest.mark.parametrize(("images", "expected"), [(0, 0.0), (50, 0.5), (100, 1.0), (500, 1.0)])
@pytest.mark.parametrize("kind", [Linear, Cosine])
def test_a_ramp_can_rise(kind: type[Linear] | type[Cosine], images: int, expected: float) -> None:
    assert kind(end=100, start=0.0, final=1.0)(images) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("images", "level"),
    [
        (0, 3.0),
        (599, 3.0),
        (600, 3.0),
        (750, 3.25),
        (1199, 3 + 599 / 600),
        (1200, 4.0),
        (1800, 4.0),
        (2100, 4.5),
        (2400, 5.0),
        (10**9, 5.0),
    ],
)
def test_growth_alternates_training_and_fading(images: int, level: float) -> None:
    """Resolution 8 until 600 images, fade-in of 16 until 1,200, and so on to 32."""
    assert Growth(32, start=8, stable=600, fade=600)(images) == pytest.approx(level)


def test_growth_without_fade_or_progression() -> None:
    assert Growth(32, stable=10, fade=0)(9) == 3
    assert Growth(32, stable=10, fade=0)(10) == 4
    assert Growth(32, progressive=False)(0) == 5
    assert Growth(4, start=8)(0) == 2


@pytest.mark.parametrize(
    "wrong", [{"start": 2}, {"start": 12}, {"stable": -1}, {"stable": 0, "fade": 0}]
)
def test_illegal_growth_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="growth: start="):
        Growth(32, **wrong)  # type: ignore[arg-type]
