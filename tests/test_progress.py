import re
import time

import pytest
from tqdm import tqdm

from gan import processes, progress
from gan.progress import Lines, bar, track

Screen = pytest.CaptureFixture[str]


class Time:
    """A clock that tests set."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        patch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def test_a_line_comes_when_its_time_has_come_and_at_the_end(clock: Time, capsys: Screen) -> None:
    with Lines("work", 1200, initial=200, interval=30, leave=True) as lines:
        for clock.now in (110.0, 129.0, 130.0, 131.0, 159.0):
            lines.update(50)
        lines.set_postfix({"loss G": "0.5"})
        clock.now = 180.0
        lines.update(750)
    first, second, third = capsys.readouterr().err.splitlines()
    # 150 steps in 30 s: 850 more take 170 s
    assert re.fullmatch(
        r"work: step 350 of 1,200 \(29%\), 2\.8 minutes left, until [\d: -]+", first
    )
    assert second == "work: step 1,200 of 1,200 (100%), loss G 0.5, took 80 s"
    assert third == second


def test_short_work_says_nothing(clock: Time, capsys: Screen) -> None:
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_long_work_in_a_pipe_says_where_it_is(clock: Time, capsys: Screen) -> None:
    for _ in track(range(4), "work", 4, "point"):
        clock.now += 31
    shown = capsys.readouterr().err
    assert "\r" not in shown
    assert [line.partition(" (")[0] for line in shown.splitlines()] == [
        f"work: point {n} of 4" for n in (1, 2, 3, 4)
    ]


def test_work_that_is_stopped_has_no_time_left(clock: Time, capsys: Screen) -> None:
    with Lines("work", 100, leave=True) as lines:
        lines.update(50)
        clock.now += 10
    assert capsys.readouterr().err == "work: step 50 of 100 (50%), took 10 s\n"


def test_work_of_no_units_ends(clock: Time, capsys: Screen) -> None:
    Lines("work", 0, leave=True).close()
    assert capsys.readouterr().err == "work: step 0 of 0 (100%), took 0 s\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(bar("work", 2), Lines)
    monkeypatch.setattr(progress, "on_terminal", lambda: True)
    shown = bar("work", 2)
    assert isinstance(shown, tqdm)
    assert not shown.disable
    shown.close()


def test_another_process_shows_nothing(
    clock: Time, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "rank", lambda: 1)
    with bar("work", 2, leave=True) as hidden:
        clock.now += 100
        hidden.update()
    assert capsys.readouterr() == ("", "")
