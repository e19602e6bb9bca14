"""The metrics of many runs: a table on the terminal, and one page."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING
from rich.markup import escape
from rich.table import Table

from gan.errors import InputError, printable
from gan.reports import page
from gan.reports.folders import find_runs, is_run
from gan.reports.stamps import describe
from gan.reports.summary import RunSummary
from gan.runs.evaluations import Evaluations, Spread, spreads
from gan.runs.results import Results
from gan.tables import show

Column = tuple[str, str]  # value, protocol


@dataclass
class ReportOptions:
    """Settings of ``ganymede report``.

    Attributes:
        runs: pattern of run folders or sweeps, such as ``'runs/*/*'``.
        metrics: names of the metrics to show in the table; by default all that rank models.
        out: file to write as well: .html for a page with everything, .csv for the table.
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


def entries(runs: Iterable[Path]) -> tuple[list[Entry], list[str]]:
    """Return the rows of all runs, and a line on each file that could not be read."""
    found: list[Entry] = []
    faults: list[str] = []
    for run in runs:
        for read in (_trained, _evaluated):
            try:
                found += read(run)
            except (InputError, OSError) as error:
                faults.append(str(error))
    return found, faults


def _columns(rows: list[Entry], metrics: list[str] | None) -> list[Column]:
    """Return the columns: each metric under each protocol.

    Raises:
        InputError: if no run has such a value.
    """
    found = {column for row in rows for column in row.cells}
    columns = sorted(column for column in found if metrics is None or column[0] in metrics)
    if not columns:
        raise InputError(f"metrics={metrics}: no run has such a value")
    return columns


def _legend(stamps: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield a line on each protocol."""
    for name, stamp in sorted(stamps.items()):
        yield f"[{name}] {describe(stamp)}"


def _write_table(path: Path, runs: list[Path], metrics: list[str] | None) -> None:
    """Write the means as CSV."""
    rows, _ = entries(runs)
    columns = _columns(rows, metrics)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["run", "where", "step", *(f"{key} [{name}]" for key, name in columns)])
        for row in _with_values(rows, columns):
            means = [row.cells[c].mean if c in row.cells else "" for c in columns]
            writer.writerow([row.run, row.source, row.step, *means])


def _write_page(path: Path, runs: list[Path], metrics: list[str] | None) -> None:
    """Write everything on the runs as a page."""
    page.write(path, [RunSummary.read(run) for run in runs])


_WRITERS: dict[str, Callable[[Path, list[Path], list[str] | None], None]] = {
    ".html": _write_page,
    ".csv": _write_table,
}


def _with_values(rows: list[Entry], columns: list[Column]) -> list[Entry]:
    """Return the rows that have a value in one of the columns."""
    return [row for row in rows if any(column in row.cells for column in columns)]


def _table(rows: list[Entry], columns: list[Column]) -> Table:
    """Return the table of the metrics."""
    table = Table("run", "where", "step")
    for key, name in columns:
        table.add_column(escape(f"{key}\n[{name}]"), justify="right")
    for row in rows:
        cells = [str(row.cells.get(column, "")) for column in columns]
        table.add_row(escape(row.run), escape(row.source), str(row.step), *cells)
    return table


def _print(rows: list[Entry], columns: list[Column]) -> None:
    """Print the table, and a line on each protocol in it."""
    show(_table(_with_values(rows, columns), columns))
    used = {name for _, name in columns}
    stamps = {k: stamp for row in rows for k, stamp in row.stamps.items() if k in used}
    for line in _legend(stamps):
        print(line)


def report(options: ReportOptions) -> None:
    """Compare many runs: print a table of their metrics, and write one page with everything."""
    ending = "" if options.out is None else Path(options.out).suffix
    if options.out is not None and ending not in _WRITERS:
        raise InputError(f"out={options.out}: give a name that ends in {' or '.join(_WRITERS)}")
    runs = find_runs(options.runs)
    rows, faults = entries(runs)
    only_page = ending == ".html" and any(map(is_run, runs))  # it shows runs without metrics too
    if not rows and not only_page:
        raise InputError(
            faults[0]
            if faults
            else f"runs={options.runs}: no results.json or evaluation.json there; name run "
            "folders, such as runs='runs/*/*'"
        )
    if rows:
        _print(rows, _columns(rows, options.metrics))
    for fault in faults:
        print(f"left out: {printable(fault)}")
    if options.out is not None:
        _WRITERS[ending](Path(options.out), runs, options.metrics)
        print(f"written: {options.out}")
