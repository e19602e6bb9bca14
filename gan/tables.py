"""Tables on the terminal and in pipes."""

import os
import sys

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def console_for(table: Table) -> Console:
    """Return a console as wide as the terminal or COLUMNS say, elsewhere as wide as a table."""
    console = Console()
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return console
    return Console(width=max(console.width, _width(table)))


def _width(table: Table) -> int:
    """Return how many characters a line of a table takes where nothing is wrapped."""
    unbounded = Console(width=10_000)
    return Measurement.get(unbounded, unbounded.options, table).maximum


def show(table: Table) -> None:
    """Print a table, or its rows as lines one below the other where it is too wide."""
    console = console_for(table)
    if _width(table) <= console.width:
        console.print(table)
        return
    heads = [" ".join(str(column.header).split()) for column in table.columns]
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        first, *others = zip(heads, map(str, cells), strict=True)
        console.print(" ".join(first), style="bold", soft_wrap=True, highlight=False)
        line = "; ".join(f"{head} {cell}" for head, cell in others if cell)
        console.print(f"  {line}", soft_wrap=True, highlight=False)
