from pathlib import Path

import pytest
from PIL import Image

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
    assert [abs(value - level(step)) < 3 for (value, *_), step in zip(found, STEPS, strict=True)]
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
