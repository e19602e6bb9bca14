from pathlib import Path

import pytest
from PIL import Image

from gan.commands import film as films
from gan.commands.film import FilmOptions, Still
from gan.commands.main import dispatch
from gan.errors import InputError

STEPS = (50, 500, 1000, 20000, 100000000)  # in another order as text


def level(step: int) -> int:
    return 40 * (STEPS.index(step) + 1)


def still(run: Path, step: int, size: tuple[int, int] = (60, 40)) -> Path:
    """Write a picture of one gray level for a step."""
    path = run / "samples" / f"step_{step:08d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level(step),) * 3).save(path)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a folder of a run, with a picture for each step."""
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").touch()
    for step in reversed(STEPS):
        still(tmp_path, step)
    (tmp_path / "samples" / "other.png").write_bytes(b"no picture of a step")
    return tmp_path


def frames(path: Path) -> list[tuple[int, tuple[int, int], int]]:
    """Return level of the picture, size and milliseconds of each frame."""
    found = []
    with Image.open(path) as film:
        for k in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(k)
            gray = film.convert("L")
            shown = gray.crop((0, 0, 60, 40)).tobytes()
            spread = max(shown) - min(shown)
            assert film.size != (60, 68) or spread < 6  # text and bar are below the picture
            found.append((gray.tobytes()[5 * film.width + 5], film.size, film.info["duration"]))
        assert film.info["loop"] == 0
    return found


@pytest.mark.parametrize("name", ["film.gif", "deep/film.webp"])
def test_frames_follow_the_steps(run: Path, name: str) -> None:
    dispatch(["film", f"run={run}", f"out={run / name}", "fps=10", "hold=3"])
    found = frames(run / name)
    assert all(abs(value - level(step)) < 3 for (value, *_), step in zip(found, STEPS, strict=True))
    assert [duration for *_, duration in found] == [100, 100, 100, 100, 3000]
    assert {size for _, size, _ in found} == {(60, 40 + 28)}


def test_length_and_number_of_frames(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["film", f"run={run}", "seconds=1", "frames=3"])
    found = frames(run / "figures" / "film.gif")
    assert [duration for *_, duration in found] == [500, 500, 2000]
    assert [round(value / 40) for value, *_ in found] == [1, 3, 5]
    assert capsys.readouterr().out.splitlines() == [
        "3 frames, steps 50 to 100000000",
        str(run / "figures" / "film.gif"),
    ]


def test_pictures_of_several_sizes_are_fitted_and_wide_ones_reduced(run: Path) -> None:
    still(run, 500, (30, 30))
    dispatch(["film", f"run={run}", "width=30"])
    found = frames(run / "figures" / "film.gif")
    assert {size for _, size, _ in found} == {(30, 20 + 28)}


def test_a_damaged_picture_is_left_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "samples" / "step_00000500.png"
    path.write_bytes(path.read_bytes()[:40])
    dispatch(["film", f"run={run}"])
    assert f"left out: {path} is no whole picture" in capsys.readouterr().out
    assert len(frames(run / "figures" / "film.gif")) == 4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("out=film.mp4", r"\.gif or \.webp"),
        ("fps=0", "above 0, at most 50"),
        ("fps=60", "at most 50"),
        ("seconds=-1", "seconds=-1"),
        ("hold=0", "hold=0"),
        ("seconds=0.01", "lower frames"),
        ("frames=1", "2 or more"),
        ("fp=1", "did you mean 'fps'"),
    ],
)
def test_impossible_films(run: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["film", f"run={run}", given])
    assert not (run / "figures").exists()


def test_length_or_rate(run: Path) -> None:
    with pytest.raises(InputError, match="give one of the two"):
        dispatch(["film", f"run={run}", "fps=3", "seconds=3"])


def test_too_few_pictures(run: Path) -> None:
    for path in sorted((run / "samples").glob("step*"))[1:]:
        path.unlink()
    with pytest.raises(InputError, match=r"there are 1: train longer"):
        dispatch(["film", f"run={run}"])


def test_a_frame_has_a_bar_of_the_time_and_the_step_below_the_picture() -> None:
    pictures = [(step, Image.new("RGB", (60, 40), (9, 9, 9))) for step in (0, 250, 1000)]
    first, middle, last = films._frames(pictures, 720)
    for frame, width in ((first, 0), (middle, 15), (last, 60)):
        assert frame.size == (60, 40 + 16 + 12)
        assert frame.crop((0, 0, 60, 40)).getcolors() == [(60 * 40, (9, 9, 9))]
        bar = [frame.getpixel((x, 41)) == (31, 119, 180) for x in range(60)]
        assert bar == [x <= width for x in range(60)]
        below = [frame.getpixel((width // 2, 40 + y)) == (31, 119, 180) for y in range(5)]
        assert below == [True] * 3 + [False] * 2
        ink = frame.convert("L").point(lambda level: 255 * (level < 60)).crop((0, 43, 60, 68))
        box = ink.getbbox()
        assert box is not None
        assert 5 <= box[0] <= 8
        assert 43 + box[1] >= 46


@pytest.mark.parametrize(
    ("width", "size"), [(720, (60, 40)), (60, (60, 40)), (59, (30, 20)), (20, (20, 14))]
)
def test_wide_pictures_are_reduced_by_a_whole_factor(width: int, size: tuple[int, int]) -> None:
    image, small = Image.new("RGB", (60, 40)), Image.new("RGB", (30, 40))
    frames = [*films._frames([(1, image), (2, small)], width)]
    assert [frame.size for frame in frames] == [(size[0], size[1] + 28)] * 2
    assert frames[1].getpixel((0, size[1] // 2)) == (255, 255, 255)  # in the middle
    assert frames[1].getpixel((size[0] // 2, size[1] // 2)) == (0, 0, 0)


def test_a_film_of_step_0_alone_has_no_bar_of_infinite_length() -> None:
    (frame,) = films._frames([(0, Image.new("RGB", (60, 40)))], 720)
    assert frame.getpixel((30, 41)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [125, 125, 2000]),
        ({"fps": 50.0}, [20, 20, 2000]),
        ({"seconds": 0.04, "hold": 0.5}, [20, 20, 500]),
        ({"seconds": 1.0}, [500, 500, 2000]),
    ],
)
def test_durations_of_frames(given: dict[str, float], expected: list[int]) -> None:
    assert films._durations(FilmOptions("run", **given), 3) == expected  # type: ignore[arg-type]


def test_frames_are_spread_evenly() -> None:
    found = [Still(k, Path()) for k in range(10)]
    assert films._spread_evenly(found, 10) == films._spread_evenly(found, 11) == found
    assert [still.step for still in films._spread_evenly(found, 4)] == [0, 3, 6, 9]
    assert [still.step for still in films._spread_evenly(found, 2)] == [0, 9]


def test_a_film_plays_without_end_at_a_stated_quality(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, object]] = []
    monkeypatch.setattr(Image.Image, "save", lambda self, *_, **named: kept.append(named))
    dispatch(["film", f"run={run}", f"out={run / 'film.webp'}"])
    (named,) = kept
    assert (named["save_all"], named["loop"], named["quality"]) == (True, 0, 90)
