"""Numbers of a page that its script draws."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gan.reports.board import Measurement
from gan.reports.groups import Group
from gan.reports.history import Track
from gan.reports.per_class import class_values
from gan.reports.stamps import describe
from gan.reports.summary import RunSummary

_NUMBERS = 300_000  # of all curves of a page
_POINTS = (10, 400)  # of a curve: at least, at most
_CLASSES = 100  # columns of a table of classes
_DIGITS = 5  # that a page shows


def rounded(value: float) -> float | None:
    """Return a number with the digits that a page shows, ``None`` if it is not finite."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def points_a_curve(runs: Iterable[RunSummary]) -> int:
    """Return how many points of each curve fit into a page with the curves of all runs."""
    columns = sum(len(track.values) + 3 for run in runs for track in run.history.tracks)
    least, most = _POINTS
    return max(least, min(most, _NUMBERS // max(columns, 1)))


def curves(run: RunSummary, points: int) -> list[dict[str, Any]]:
    """Return the curves of a run with so many points each."""
    return [_curve(track) for track in run.history.cut_into(points)]


def _curve(track: Track) -> dict[str, Any]:
    """Return the curves of a track as plain numbers."""
    # Steps and images are whole, and are not rounded.
    axes: dict[str, Any] = {"steps": track.step, "images": track.images}
    axes = {
        name: [int(x) if math.isfinite(x) else None for x in axis] for name, axis in axes.items()
    }
    values = {name: [rounded(y) for y in column] for name, column in track.values.items()}
    return {**axes, "hours": [rounded(x) for x in track.hours], "values": values}


def protocols(run: RunSummary, known: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the short name of the protocol of each measured value of a run.

    Args:
        run: with results or without.
        known: protocols of values by the short name of the whole stamp, from runs with results.
    """
    whole = run.history.protocol
    ranking = run.results.protocols if run.results else known.get(whole, {})
    return {name: ranking.get(name, whole) for name in run.history.measured}


def differences(groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    """Return the settings that differ between groups: their values, and the value of each group."""
    keys = dict.fromkeys(key for group in groups for key in group.settings)
    found = {}
    for key in sorted(keys):
        column = [group.settings.get(key) for group in groups]
        values = list(dict.fromkeys(column))
        if len(values) > 1:
            found[key] = {"values": values, "of": [values.index(value) for value in column]}
    return found


def class_tables(
    measured: Iterable[Measurement], numbers: Mapping[RunSummary, int]
) -> list[dict[str, Any]]:
    """Return a table for each value within classes and each stamp, with a row for each run.

    Args:
        measured: what was measured.
        numbers: of the runs in the page.
    """
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for m in measured:
        means = {name: spread.mean for name, spread in m.best.items()}
        for name, values in class_values(means).items():
            empty = {"name": name, "protocol": describe(m.stamp), "labels": [], "rows": []}
            table = tables.setdefault((name, m.stamp_key), empty)
            labels = sorted(values)[:_CLASSES]
            if len(labels) > len(table["labels"]):
                table["labels"] = [_class_name(m.run, label) for label in labels]
                table["left_out"] = len(values) - len(labels)
            cells = [rounded(values[label]) for label in labels]
            table["rows"].append({"run": numbers[m.run], "source": m.source, "values": cells})
    return list(tables.values())


def _class_name(run: RunSummary, label: int) -> str:
    """Return the name of a class, or else its label."""
    return run.classes[label] if label < len(run.classes) else str(label)
