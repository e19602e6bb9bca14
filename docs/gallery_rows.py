"""The rows of a gallery, read from the page that `python -m benchmarks.gallery` writes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = "README.md"
_MODEL, _STRIP = re.compile(r"`(\w+)`"), re.compile(r"!\[[^]]*\]\(([^)]+)\)")
_SHOWN = ("fid", "coverage", "minutes", "images", "command")


@dataclass(frozen=True)
class Row:
    """A model on a data set.

    Attributes:
        model: its name.
        data: the data set's.
        strips: the pictures of its samples, one for each seed.
        cells: the other columns by name.
    """

    model: str
    data: str
    strips: Sequence[Path]
    cells: dict[str, str]


def read(folder: Path) -> list[Row]:
    """Return the rows of a gallery, none where there is no page."""
    page = folder / PAGE
    return list(_rows(page.read_text().splitlines(), folder)) if page.exists() else []


def _rows(lines: Iterable[str], folder: Path) -> Iterator[Row]:
    """Yield the rows of a page; a data set is a heading, and its columns are a table's head."""
    data, columns = "", list[str]()
    for line in lines:
        if line.startswith("## "):
            data = line.removeprefix("## ")
        elif line.startswith("| model | samples |"):
            columns = _cells(line)
        elif line.startswith("| `"):
            cells = dict(zip(columns, _cells(line), strict=True))
            (model,), strips = _MODEL.findall(cells["model"]), _STRIP.findall(cells["samples"])
            yield Row(model, data, [folder / strip for strip in strips], cells)


def _cells(line: str) -> list[str]:
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def table(rows: Sequence[Row]) -> str:
    """Return rows as a table in Markdown, whose strips lie in ``strips`` beside the page."""
    lines = ["| data | samples | " + " | ".join(_SHOWN) + " |", "|---" * (2 + len(_SHOWN)) + "|"]
    for row in rows:
        cells = [row.cells.get(name, "") for name in _SHOWN]
        strips = (f"![{row.model} on {row.data}](strips/{path.name})" for path in row.strips)
        lines.append(f"| {' | '.join([row.data, '<br>'.join(strips), *cells])} |")
    return "\n".join(lines)
