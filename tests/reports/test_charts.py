"""Numbers of a page that its script draws."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gan.reports import charts
from gan.reports.board import Measurement, measurements
from gan.reports.groups import Group
from gan.reports.history import History, Track
from gan.reports.summary import RunSummary
from tests.reports import made_up
from tests.reports.made_up import FID


def run(name: str = "a", **given: Any) -> RunSummary:
    """Return a run that logged a loss and a metric."""
    tracks = [Track([1, 2], [8, 16], [0.1, 0.2], {"loss": [1.0, 2.0]})]
    tracks += [Track([2], [math.nan], [math.nan], {FID: [1.234567], "none": [math.inf]})]
    return RunSummary(Path(name), history=History(tracks, "whole", [FID, "other"], 2), **given)


def test_numbers_have_five_digits() -> None:
    assert [charts.rounded(x) for x in (1.234567, 123456.0, -0.00001234567)] == [
        1.2346,
        123460.0,
        -1.2346e-05,
    ]
    assert [charts.rounded(x) for x in (math.nan, math.inf)] == [None, None]


@pytest.mark.parametrize(
    ("columns", "points"), [(0, 400), (1, 400), (747, 400), (748, 399), (2997, 100), (10**6, 10)]
)
def test_points_of_a_curve_by_the_columns_of_all_runs(columns: int, points: int) -> None:
    """A track has three axes besides its values; a page holds 300,000 numbers."""
    track = SimpleNamespace(values=range(columns))
    one: Any = SimpleNamespace(history=SimpleNamespace(tracks=[track] if columns else []))
    assert charts.points_a_curve([one]) == points
    halves = [SimpleNamespace(values=range(columns // 2)) for _ in range(2)]
    two: Any = [SimpleNamespace(history=SimpleNamespace(tracks=[half])) for half in halves]
    assert charts.points_a_curve(two) == charts.points_a_curve(
        [SimpleNamespace(history=SimpleNamespace(tracks=halves))]  # type: ignore[list-item]
    )


def test_curves_are_plain_numbers() -> None:
    loss, metric = charts.curves(run(), 10)
    assert loss == {
        "steps": [1, 2],
        "images": [8, 16],
        "hours": [0.1, 0.2],
        "values": {"loss": [1.0, 2.0]},
    }
    assert (metric["images"], metric["hours"]) == ([None], [None])
    assert metric["values"] == {FID: [1.2346], "none": [None]}
    assert all(isinstance(x, int) for x in (*loss["steps"], *loss["images"]))


def test_the_protocol_of_a_value_is_its_own_or_that_of_all() -> None:
    known = {"whole": {FID: "mine"}, "else": {FID: "no", "other": "no"}}
    assert charts.protocols(run(), known) == {FID: "mine", "other": "whole"}
    assert charts.protocols(run(), {}) == {FID: "whole", "other": "whole"}
    finished = run(results=made_up.results(Path("a"), 1.0, 100, 0))
    assert charts.protocols(finished, known) == {FID: "aaaaaaaa", "other": "whole"}


def test_settings_that_differ_with_their_values_once() -> None:
    settings: list[dict[str, str]] = [{"b": "1", "a": "1", "c": "0"}, {"b": "2", "c": "0"}]
    settings += [{"b": "1", "c": "0", "seed": "5"}]
    groups = [Group([RunSummary(Path("a"), settings=given)]) for given in settings]
    found = charts.differences(groups)
    assert list(found) == ["a", "b"]
    assert found["a"] == {"values": ["1", None], "of": [0, 1, 1]}
    assert found["b"] == {"values": ["1", "2"], "of": [0, 1, 0]}
    assert charts.differences(groups[:1]) == {}


def measured(name: str, classes: tuple[str, ...], labels: range, **stamp: Any) -> Measurement:
    """Return the measurement of a run whose recall within class k is k + 0.123456."""
    best = {f"recall/{label}": label + 0.123456 for label in labels}
    given = {"best": {"step": 1, **best}, "stamp": {**made_up.STAMP, **stamp}}
    results = made_up.results(Path(name), 1.0, 100, 0, **given)
    return next(measurements(RunSummary(Path(name), results=results, classes=classes)))


def test_a_table_of_classes_has_a_row_for_each_run() -> None:
    found = [measured("a", ("cat", "dog"), range(3)), measured("b", ("x", "y", "z"), range(3))]
    numbers = {m.run: 7 + k for k, m in enumerate(found)}
    (table,) = charts.class_tables(found, numbers)
    assert (table["name"], table["labels"]) == ("recall", ["cat", "dog", "2"])
    assert table["left_out"] == 0
    assert table["protocol"].startswith("domain 5d501114, 2000 fakes against 1437 of digits/train")
    values = [0.12346, 1.1235, 2.1235]
    assert table["rows"] == [
        {"run": 7 + k, "source": "training", "values": values} for k in range(2)
    ]


def test_the_names_of_a_table_are_of_the_run_with_the_most_classes() -> None:
    found = [measured("a", ("p", "q"), range(2)), measured("b", ("x", "y", "z"), range(130))]
    (table,) = charts.class_tables(found, {m.run: 0 for m in found})
    assert table["labels"][:4] == ["x", "y", "z", "3"]
    assert (len(table["labels"]), table["left_out"]) == (100, 30)
    assert [len(row["values"]) for row in table["rows"]] == [2, 100]


def test_classes_under_another_stamp_are_another_table() -> None:
    found = [measured("a", (), range(2)), measured("b", (), range(2), sample_seed=4)]
    found += [measured("c", (), range(2), num_fakes=9)]
    tables = charts.class_tables(found, {m.run: k for k, m in enumerate(found)})
    assert [[row["run"] for row in table["rows"]] for table in tables] == [[0, 1], [2]]
