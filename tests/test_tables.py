"""Tables on terminals of any width, and in pipes."""

import pytest
from rich.table import Table

from gan import tables

Screen = pytest.CaptureFixture[str]


@pytest.fixture
def table() -> Table:
    """Return a table of two rows, 60 characters wide or so."""
    made = Table("name", "value of\nthe metric", "note")
    made.add_row("first " * 4, "1.5", "n" * 15)
    made.add_row("second", "", "2")
    return made


@pytest.fixture(autouse=True)
def _in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def test_a_table_in_a_pipe_is_not_wrapped(table: Table, capsys: Screen) -> None:
    table.add_row("x" * 200, "3", "4")
    tables.show(table)
    shown = capsys.readouterr().out
    assert "x" * 200 in shown
    assert "┃ name" in shown
    small = Table("a")
    assert tables.console_for(small).width >= 80  # as wide as elsewhere


def test_columns_bound_the_width(
    table: Table, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    width = tables._width(table)
    monkeypatch.setenv("COLUMNS", str(width))
    assert tables.console_for(table).width == width
    tables.show(table)
    assert capsys.readouterr().out.startswith("┏")
    monkeypatch.setenv("COLUMNS", str(width - 1))
    tables.show(table)
    assert capsys.readouterr().out.splitlines() == [
        "name " + ("first " * 4).rstrip() + " ",
        f"  value of the metric 1.5; note {'n' * 15}",
        "name second",
        "  note 2",
    ]
