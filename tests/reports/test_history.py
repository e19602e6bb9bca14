"""The curves of a run."""

import math
from pathlib import Path

import pytest

from gan.errors import InputError
from gan.reports.history import History, Track

HEAD = "step,images,images_per_second,loss,protocol,fid,best/fid,recall/3\n"


def history(folder: Path, rows: str) -> History:
    (folder / "metrics.csv").write_text(HEAD + rows)
    return History.read(folder)


def track(found: History, name: str) -> tuple[list[float], list[float], list[float]]:
    (chosen,) = (t for t in found.tracks if name in t.values)
    return chosen.images, chosen.hours, chosen.values[name]


def test_hours_are_images_over_speed(tmp_path: Path) -> None:
    # 3,600 images at 1 a second, then 7,200 at 4: 1 hour, then half an hour.
    found = history(
        tmp_path, "1,3600,1,0.5,,,,\n2,7200,,,p,9,9,0.1\n3,10800,4,0.4,,,,\n4,10800,,,p,8,8,\n"
    )
    assert track(found, "loss") == ([3600, 10800], [1.0, 1.5], [0.5, 0.4])
    assert track(found, "fid") == ([7200, 10800], [1.25, 1.5], [9, 8])
    assert (found.steps, found.hours, found.measured) == (4, 1.5, ["fid"])
    assert not any(n in t.values for t in found.tracks for n in ("best/fid", "recall/3", "images"))


def test_gaps_of_images_are_filled_and_rates_of_zero_left_out(tmp_path: Path) -> None:
    rows = "1,1800,,9,,,,\n2,3600,1,8,,,,\n3,,,7,,,,\n5,7200,0,6,,,,\n6,10800,2,5,,,,\n"
    found = history(tmp_path, rows)
    assert track(found, "loss") == (
        [1800, 3600, 4800, 7200, 10800],
        [0.5, 1.0, pytest.approx(1 + 1 / 6), 1.5, 2.0],
        [9, 8, 7, 6, 5],
    )
    assert (found.steps, found.hours) == (6, 2.0)


def test_a_row_after_the_last_rate_adds_no_hours(tmp_path: Path) -> None:
    found = history(tmp_path, "1,3600,1,9,,,,\n2,7200,1,8,,,,\n3,7200,1,8,,,,\n4,9000,,8,,,,\n")
    assert track(found, "loss")[1] == [1.0, 2.0, 2.0, 2.0]


def test_values_under_an_earlier_protocol_are_left_out(tmp_path: Path) -> None:
    found = history(tmp_path, "1,10,1,1,old,9,9,\n2,20,1,1,,,,\n3,30,1,1,new,8,8,\n")
    assert found.protocol == "new"
    assert track(found, "fid")[2] == [8]
    assert track(found, "loss")[2] == [1, 1, 1]  # was logged without a protocol too


def test_a_thinned_track_keeps_both_ends(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i},1,{i},,,,\n" for i in range(1, 1001))
    (few,) = (t for t in history(tmp_path, rows).cut_into(10) if "loss" in t.values)
    assert few.images == few.step
    assert few.hours == pytest.approx([step / 3600 for step in few.step])
    assert few.step == few.values["loss"] == [1, 112, 223, 334, 445, 556, 667, 778, 889, 1000]


def test_rows_without_images_or_speed(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss\n5,2\n")
    found = History.read(tmp_path)
    assert (found.steps, found.hours) == (5, None)
    (tmp_path / "metrics.csv").write_text("step,loss\n")
    empty = History.read(tmp_path)
    assert (empty.tracks, empty.steps, empty.hours, empty.protocol) == ([], 0, None, "")
    (tmp_path / "metrics.csv").write_text("step,images,loss\n5,40,2\n")
    found = History.read(tmp_path)
    assert found.hours is None
    assert all(math.isnan(hours) for track in found.tracks for hours in track.hours)
    (tmp_path / "metrics.csv").unlink()
    assert History.read(tmp_path) == History()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "loss\n1\n",
        "step,loss\n1\n",
        "step\nx\n",
        "step\n\xff\n",
        'step\n"1\n',
        "step\n1\n2,3\n",
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match="no table of a run"):
        History.read(tmp_path)


def test_a_short_track_is_whole() -> None:
    for count in (1, 3):
        whole = Track([1.0] * count, [2.0] * count, [3.0] * count, {"loss": [4.0] * count})
        assert whole.thinned(count) is whole.thinned(10) is whole
