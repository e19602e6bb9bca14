"""The metrics of many runs in one table."""

import csv
import glob
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gan.errors import InputError
from gan.runs.evaluations import Evaluations, Spread, spreads
from gan.runs.results import Results
from gan.settings.sampling import sampling_changes
from gan.tables import show

Column = tuple[str, str]  # value, protocol


@dataclass
class ReportOptions:
    """Settings of ``ganymede report``.

    Attributes:
        runs: pattern of run folders, such as ``'runs/*/*'``.
        metrics: names of the metrics to show; by default all that rank models.
        out: CSV to write as well.
    """

    runs: str = MISSING
    metrics: list[str] | None = None
    out: str | None = None


@dataclass
class Entry:
    """One row: weights of a run, measured in training or by ``evaluate``.

    Attributes:
        run: the run folder.
        source: of the numbers, such as "training, best".
        step: number of generator updates of the weights.
        cells: spread of each value under its protocol.
        stamps: by the short name of their protocol.
    """

    run: str
    source: str
    step: int
    cells: dict[Column, Spread]
    stamps: dict[str, dict[str, Any]]


def _trained(run: Path) -> Iterator[Entry]:
    """Yield the row of the metrics of training."""
    results = Results.read(run)
    if results is not None and results.protocols:
        best, protocols = results.best, results.protocols
        cells = {(k, name): Spread.of([best[k]]) for k, name in protocols.items() if k in best}
        stamps = dict.fromkeys(protocols.values(), results.stamp)
        yield Entry(str(run), "training, best", results.best_step, cells, stamps)


def _evaluated(run: Path) -> Iterator[Entry]:
    """Yield the rows of ``evaluate``, with the spread over seeds."""
    for group in Evaluations(run / "evaluation.json").groups():
        first, values = group[0], spreads(group)
        cells = {(k, p): values[k] for k, p in first.protocols.items() if k in values}
        stamps = dict.fromkeys(first.protocols.values(), first.stamp)
        yield Entry(str(run), f"evaluate, {first.checkpoint}", first.step, cells, stamps)


def entries(pattern: str) -> list[Entry]:
    """Return the rows of all runs of a pattern.

    Raises:
        InputError: if there are none.
    """
    runs = sorted(Path(name) for name in glob.glob(pattern))
    found = [entry for run in runs for entry in (*_trained(run), *_evaluated(run))]
    if not found:
        raise InputError(
            f"runs={pattern}: no results.json or evaluation.json there; name run folders, "
            "such as runs='runs/*/*'"
        )
    return found


def _columns(rows: list[Entry], metrics: list[str] | None) -> list[Column]:
    """Return the columns: each metric under each protocol."""
    found = {column for row in rows for column in row.cells}
    return sorted(column for column in found if metrics is None or column[0] in metrics)


def _write(path: Path, rows: list[Entry], columns: list[Column]) -> None:
    """Write the means as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["run", "where", "step", *(f"{key} [{name}]" for key, name in columns)])
        for row in rows:
            means = [row.cells[c].mean if c in row.cells else "" for c in columns]
            writer.writerow([row.run, row.source, row.step, *means])


def _legend(stamps: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield a line on each protocol."""
    for name, entries in sorted(stamps.items()):
        stamp = defaultdict(lambda: "unknown", entries)
        yield (
            f"[{name}] {stamp['backbone']} {str(stamp['weights_hash'])[:8]}, {stamp['num_fakes']} "
            f"fakes against {stamp['real_count']} of {stamp['real_data']}/{stamp['real_split']} "
            f"({str(stamp['real_fingerprint'])[:8]}), {stamp['weights']} weights"
            f"{sampling_changes(stamp)}"
        )


def report(options: ReportOptions) -> None:
    """Print the metrics of many runs in one table, with a column for each protocol."""
    rows = entries(options.runs)
    columns = _columns(rows, options.metrics)
    if not columns:
        raise InputError(f"metrics={options.metrics}: no run has such a value")
    rows = [row for row in rows if any(column in row.cells for column in columns)]
    table = Table("run", "where", "step")
    for key, name in columns:
        table.add_column(escape(f"{key}\n[{name}]"), justify="right")
    for row in rows:
        cells = [str(row.cells.get(column, "")) for column in columns]
        table.add_row(escape(row.run), escape(row.source), str(row.step), *cells)
    show(table)
    console = Console()
    used = {name for _, name in columns}
    stamps = {k: stamp for row in rows for k, stamp in row.stamps.items() if k in used}
    for line in _legend(stamps):
        console.print(line, markup=False, soft_wrap=True)
    if options.out is not None:
        _write(Path(options.out), rows, columns)
        console.print(f"written: {options.out}", markup=False, soft_wrap=True)
