import math
import re
import time
from typing import Any

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


def test_the_time_of_the_end_has_its_date_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.strptime("2026-03-05 23:10", "%Y-%m-%d %H:%M")
    monkeypatch.setattr(
        time, "localtime", lambda seconds=None: now if seconds is None else time.gmtime(seconds)
    )
    day = 20517 * 86400  # of 2026-03-05, since 1970
    assert progress._clock(day + 23 * 3600 + 11 * 60) == "23:11"
    assert progress._clock(day + 86400 + 60) == "2026-03-06 00:01"


def test_the_end_is_now_and_what_is_left(
    clock: Time, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[float] = []
    monkeypatch.setattr(time, "time", lambda: 5000.0)

    def clock_of(end: float) -> str:
        ends.append(end)
        return "then"

    monkeypatch.setattr(progress, "_clock", clock_of)
    lines = Lines("work", 40, interval=0)
    lines.update(0)  # nothing is known yet
    clock.now += 10
    lines.update(10)
    assert ends == [5030.0]
    assert capsys.readouterr().err.splitlines() == [
        "work: step 0 of 40 (0%)",
        "work: step 10 of 40 (25%), 30 s left, until then",
    ]


def test_no_line_at_the_end_unless_it_is_wanted(clock: Time, capsys: Screen) -> None:
    with Lines("work", 3) as lines:
        lines.update(3)
    assert capsys.readouterr().err == ""


def test_a_bar_and_lines_are_given_all_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"initial": 3, "interval": 7.0, "leave": True}
    lines = bar("work", 9, "img", delay=2, refresh=0.5, **given)
    assert isinstance(lines, Lines)
    assert (lines.name, lines.total, lines.unit) == ("work", 9, "img")
    assert {key: getattr(lines, key) for key in given} == given
    assert lines.count == 3
    monkeypatch.setattr(progress, "on_terminal", lambda: True)
    shown = bar("work", 9, "img", delay=2, refresh=0.5, **given)
    assert isinstance(shown, tqdm)
    found = (shown.desc, shown.total, shown.unit, shown.leave, shown.initial)
    assert found == ("work", 9, "img", True, 3)
    assert (shown.mininterval, shown.delay, shown.dynamic_ncols is not None) == (0.5, 2, True)
    shown.leave = False
    shown.close()
    monkeypatch.setattr(processes, "rank", lambda: 2)
    hidden = bar("work", 9, leave=True)
    assert isinstance(hidden, Lines)
    assert (hidden.interval, hidden.leave, hidden.total) == (math.inf, False, 9)


def test_tracked_items_are_counted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    lines = Lines("work", 3)

    def made(*values: Any, **named: Any) -> Lines:
        given.append((values, named))
        return lines

    monkeypatch.setattr(progress, "bar", made)
    counts = [lines.count for _ in track("abc", "work", 3, "letter", 5.0)]
    assert (counts, lines.count) == ([0, 1, 2], 3)
    assert given == [(("work", 3, "letter"), {"delay": 5.0})]
