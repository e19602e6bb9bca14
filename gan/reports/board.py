"""The leaderboard of many runs: a table for each set of protocols that can be compared."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gan.reports.groups import Group
from gan.reports.stamps import describe
from gan.reports.summary import RunSummary
from gan.runs.evaluations import Spread, spreads

Column = tuple[str, str]  # value, protocol
TRAINING = "training"
_SAMPLE_SEED = "sample_seed"  # of a stamp, over which means are taken
_KEPT = ("nearest_real", "nearest_unseen", "copies", "copying_z", "authenticity", "fid_gap")


@dataclass(frozen=True, eq=False)
class Measurement:
    """The values of a run, measured in training or by ``evaluate``.

    Attributes:
        run: of the weights.
        source: "training", or the checkpoint that ``evaluate`` measured.
        step: of the best weights, or of the checkpoint.
        stamp: protocol of all values.
        protocols: short name of the protocol of each value that ranks models.
        best: spread of each value over sampling seeds, at the best step.
        last: at the last step; empty for ``evaluate``.
        baseline: the same values of unseen real images.
    """

    run: RunSummary
    source: str
    step: int
    stamp: dict[str, Any]
    protocols: dict[str, str]
    best: Mapping[str, Spread]
    last: Mapping[str, Spread]
    baseline: Mapping[str, float]

    @property
    def stamp_key(self) -> str:
        """Return what all values depend on besides the sampling seed."""
        return json.dumps({k: v for k, v in self.stamp.items() if k != _SAMPLE_SEED})

    def column(self, name: str) -> Column:
        """Return the column of a value that ranks models."""
        return name, self.protocols[name]


def measurements(run: RunSummary) -> Iterator[Measurement]:
    """Yield what was measured of a run."""
    results = run.results
    if results is not None and results.best:
        best, last = (
            {k: Spread.of([v]) for k, v in found.items()}
            for found in (_finite(results.best), _finite(results.final))
        )
        yield Measurement(
            run,
            TRAINING,
            results.best_step,
            results.stamp,
            results.protocols,
            best,
            last,
            results.baseline,
        )
    for group in run.evaluations:
        first, source = group[0], f"evaluate, {group[0].checkpoint}"
        yield Measurement(
            run, source, first.step, first.stamp, first.protocols, spreads(group), {}, {}
        )


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values that are finite."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


@dataclass(eq=False)
class Row:
    """The measurements of a group of runs from one source.

    Attributes:
        group: of runs that differ in their seed.
        measured: one for each run that has values.
    """

    group: Group
    measured: list[Measurement]

    @property
    def source(self) -> str:
        """Return where the values are from."""
        return self.measured[0].source

    @cached_property
    def counted(self) -> list[Measurement]:
        """Return the measurements that means are taken over."""
        return [m for m in self.measured if m.run in self.group.counted] or self.measured

    @property
    def columns(self) -> list[Column]:
        """Return the columns of its values."""
        return [m.column(name) for m in self.measured for name in m.protocols if name in m.best]

    def best(self, column: Column) -> Spread | None:
        """Return the spread of a value at the best step over the seeds."""
        return self._spread(column, lambda m: m.best)

    def last(self, column: Column) -> Spread | None:
        """Return the spread of a value at the last step over the seeds."""
        return self._spread(column, lambda m: m.last)

    def mean(self, name: str) -> Spread | None:
        """Return the spread at the best step of a value that does not rank models."""
        return _joined([m.best[name] for m in self.counted if name in m.best])

    def _spread(
        self, column: Column, values: Callable[[Measurement], Mapping[str, Spread]]
    ) -> Spread | None:
        """Return the spread of a value under its protocol."""
        name, protocol = column
        known = [m for m in self.counted if m.protocols.get(name) == protocol]
        return _joined([values(m)[name] for m in known if name in values(m)])


def _joined(found: Sequence[Spread]) -> Spread | None:
    """Return the spread over several runs, or that of one run over its sampling seeds."""
    if len(found) < 2:
        return found[0] if found else None
    return Spread.of([spread.mean for spread in found])


@dataclass(eq=False)
class Section:
    """Rows that can be compared: each shares a column with another one.

    Attributes:
        rows: the best first.
        columns: of values, the monitored ones first.
    """

    rows: list[Row]
    columns: list[Column]

    @property
    def size(self) -> int:
        """Return the number of measured runs."""
        return sum(len(row.measured) for row in self.rows)

    @property
    def stamp(self) -> dict[str, Any]:
        """Return the stamp of the first row."""
        return self.rows[0].measured[0].stamp

    @property
    def protocol(self) -> str:
        """Return the protocol in words."""
        return describe(self.stamp)

    @property
    def prefix(self) -> str:
        """Return what all names of values begin with, such as "domain/"."""
        backbone, *others = {name.rpartition("/")[0] for name, _ in self.columns}
        return f"{backbone}/" if backbone and not others else ""

    @property
    def monitored(self) -> Column:
        """Return the column by which rows are ranked."""
        return self.columns[0]

    @property
    def higher_is_better(self) -> bool:
        """Return whether the largest value of the monitored column is the best."""
        found = (run.results for row in self.rows for run in row.group.runs)
        name = self.monitored[0]
        return any(r.higher_is_better for r in found if r is not None and r.monitor == name)

    @property
    def baseline(self) -> dict[Column, float]:
        """Return the values of unseen real images."""
        every = [m for row in self.rows for m in row.measured]
        return {m.column(k): v for m in every for k, v in m.baseline.items() if k in m.protocols}


def rows_of(groups: Sequence[Group]) -> list[Row]:
    """Return a row for each group and source of values under equal protocols."""
    found: dict[tuple[object, ...], Row] = {}
    for position, group in enumerate(groups):
        for measured in (m for run in group.runs for m in measurements(run)):
            names = tuple(sorted(measured.protocols.items()))
            key = position, measured.source, measured.stamp_key, names
            found.setdefault(key, Row(group, [])).measured.append(measured)
    return list(found.values())


def sections(rows: Sequence[Row]) -> list[Section]:
    """Return the rows that have values by which models are ranked, in tables.

    The table with the most runs comes first.
    """
    parts: list[tuple[list[Row], set[Column]]] = []
    for row in (row for row in rows if row.columns):
        joined = [part for part in parts if part[1] & set(row.columns)]
        parts = [part for part in parts if part not in joined]
        members = [member for part in joined for member in part[0]]
        parts.append(([*members, row], set(row.columns).union(*(part[1] for part in joined))))
    return sorted((_section(*part) for part in parts), key=lambda section: -section.size)


def _section(rows: list[Row], columns: set[Column]) -> Section:
    """Return a table, its best row first."""
    monitors = {run.results.monitor for row in rows for run in row.group.runs if run.results}
    ordered = sorted(columns, key=lambda column: (column[0] not in monitors, column))
    section = Section(rows, ordered)
    sign = -1 if section.higher_is_better else 1

    def rank(row: Row) -> float:
        spread = row.best(section.monitored)
        return math.inf if spread is None else sign * spread.mean

    section.rows.sort(key=rank)
    return section


def memorisation_names(measured: Iterable[Measurement]) -> list[str]:
    """Return the names of the values on memorisation, in the order in which they are read."""
    names = {name for m in measured for name in m.best if name.rpartition("/")[2] in _KEPT}
    return sorted(names, key=lambda name: (_KEPT.index(name.rpartition("/")[2]), name))
