"""The jobs of a sweep side by side, best first."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.markup import escape
from rich.table import Column as Heading
from rich.table import Table

from gan.files import replacement
from gan.runs.evaluations import Spread
from gan.runs.results import Results
from gan.sweeps.job import Outcome, State
from gan.tables import show

Column = tuple[str, str]  # value, protocol
_SEED = "seed"
_IGNORED = ("callbacks.pruning", "sweep")  # overrides that do not describe the model


@dataclass
class Row:
    """One job.

    Attributes:
        job: name of its folder.
        outcome: its outcome.
        results: of its run, if there are any.
    """

    job: str
    outcome: Outcome
    results: Results | None

    @cached_property
    def settings(self) -> dict[str, str]:
        """Return the settings that the overrides of the job give."""
        pairs = (override.lstrip("+").partition("=") for override in self.outcome.overrides)
        found = {key: value for key, _, value in pairs if key not in _IGNORED}
        seed = {} if self.results is None else {_SEED: str(self.results.seed)}
        return seed | found

    @cached_property
    def values(self) -> dict[Column, float]:
        """Return each metric that ranks models, at the best step, under its protocol."""
        results = self.results
        if results is None:
            return {}
        return {(k, p): results.best[k] for k, p in results.protocols.items() if k in results.best}

    @property
    def monitored(self) -> Column | None:
        """Return the column of the monitored metric."""
        monitor = self.results.monitor if self.results else None
        return next((column for column in self.values if column[0] == monitor), None)


class Leaderboard:
    """``leaderboard.csv`` and the table of a sweep.

    Args:
        folder: of the sweep.
        rows: one a job.
    """

    def __init__(self, folder: Path, rows: list[Row]) -> None:
        self.folder, self.rows = folder, rows

    @classmethod
    def of(cls, folder: Path) -> "Leaderboard":
        """Return the leaderboard of the jobs in a folder."""
        rows = []
        for path in sorted(folder.glob("*/job.json")):
            outcome = Outcome.read(path.parent)
            assert outcome is not None
            rows.append(Row(path.parent.name, outcome, Results.read(path.parent)))
        return cls(folder, rows)

    @property
    def path(self) -> Path:
        """Return the file."""
        return self.folder / "leaderboard.csv"

    @cached_property
    def columns(self) -> list[Column]:
        """Return the columns of values, the monitored ones first."""
        monitored = dict.fromkeys(row.monitored for row in self.rows if row.monitored)
        others = sorted({column for row in self.rows for column in row.values} - set(monitored))
        return [*monitored, *others]

    @cached_property
    def varying(self) -> list[str]:
        """Return the settings, but the seed, that differ between jobs."""
        keys = sorted({key for row in self.rows for key in row.settings} - {_SEED})
        return [key for key in keys if len({row.settings.get(key) for row in self.rows}) > 1]

    @cached_property
    def groups(self) -> list[list[Row]]:
        """Return the rows in groups that differ in their seed alone, best first."""
        found: dict[tuple[str, ...], list[Row]] = {}
        for row in self.rows:
            key = tuple(row.settings.get(name, "") for name in self.varying)
            found.setdefault(key, []).append(row)
        return sorted(found.values(), key=self._sort_key)

    def _sort_key(self, group: list[Row]) -> tuple[int, float]:
        """Return the sort key of a group: its protocol, then its mean, the best first."""
        for position, column in enumerate(self.columns):
            spread = _spread(group, column)
            if spread is not None and any(row.monitored == column for row in group):
                higher = any(row.results and row.results.higher_is_better for row in group)
                return position, -spread.mean if higher else spread.mean
        return len(self.columns), 0.0

    def save(self) -> None:
        """Write ``leaderboard.csv``."""
        names = [f"{key} [{protocol}]" for key, protocol in self.columns]
        head = ["job", *self.varying, _SEED, "state", "reason", *names, "best_step", "seconds"]
        with replacement(self.path) as part, part.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows(self._cells(row) for group in self.groups for row in group)

    def _cells(self, row: Row) -> Iterator[object]:
        """Yield the cells of a row."""
        yield row.job
        yield from (row.settings.get(key, "") for key in (*self.varying, _SEED))
        yield from (row.outcome.state, row.outcome.reason or "")
        yield from (row.values.get(column, "") for column in self.columns)
        yield "" if row.results is None else row.results.best_step
        yield round(row.outcome.seconds, 1)

    def show(self) -> None:
        """Print mean and deviation of each group over seeds, and why a job did not finish."""
        table = Table(*(Heading(escape(key), overflow="fold") for key in self.varying), "finished")
        for key, protocol in self.columns:
            table.add_column(escape(f"{key}\n[{protocol}]"), justify="right")
        for group in self.groups:
            finished = [row for row in group if row.outcome.state == State.FINISHED]
            spreads = (_spread(group, column) for column in self.columns)
            table.add_row(
                *(escape(_rounded(group[0].settings.get(key, ""))) for key in self.varying),
                f"{len(finished)} of {len(group)}",
                *("" if spread is None else str(spread) for spread in spreads),
            )
        print(f"{self.folder}: mean ± deviation over seeds")
        show(table)
        for row in (row for group in self.groups for row in group):
            if row.outcome.state != State.FINISHED:
                line = f"{row.outcome.state}: {self._description(row)}: {row.outcome.reason or ''}"
                print(line.rstrip(": "))
        print(f"written: {self.path}")

    def _description(self, row: Row) -> str:
        """Return the settings by which a job differs from the others."""
        keys = (key for key in (*self.varying, _SEED) if key in row.settings)
        return " ".join(f"{key}={row.settings[key]}" for key in keys) or row.job


def _rounded(setting: str) -> str:
    """Return a setting as the table shows it, a number with four digits."""
    try:
        return f"{float(setting):.4g}"
    except ValueError:
        return setting


def _spread(group: list[Row], column: Column) -> Spread | None:
    """Return mean and deviation of a value over the finished jobs of a group."""
    rows = (row for row in group if row.outcome.state == State.FINISHED)
    values = [row.values[column] for row in rows if math.isfinite(row.values.get(column, math.nan))]
    return Spread.of(values) if values else None
