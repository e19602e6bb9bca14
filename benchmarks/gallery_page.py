"""The page of a gallery: tables of figures and strips of samples, from its records."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gallery_records import (
    COLUMNS,
    METRICS,
    Record,
    Unfinished,
    read_records,
    record_runs,
    strip,
)
from gan.commands.evaluate import protocol_line
from gan.files import write_text
from gan.runs.evaluations import Spread

RECIPE = ("model", "data", "size", "seed")  # settings that choose a recipe
Protocols = tuple[str | None, ...]


@dataclass(frozen=True)
class Row:
    """The runs of one recipe on one data set, which differ in their seed."""

    runs: Sequence[Record]

    @property
    def further(self) -> list[str]:
        """Return the settings by which the runs differ from the recipe."""
        return [o for o in self.runs[0].recipe if o.split("=")[0] not in RECIPE]

    def cells(self, out: Path) -> list[str]:
        """Return the cells of the table of the gallery in a folder."""
        first = self.runs[0]
        minutes = [run.seconds / 60 for run in self.runs]
        return [
            f"`{first.settings['model']}`",
            "<br>".join(self._strips(out)),
            *(self._cell(name) for name in METRICS),
            f"{sum(minutes) / len(minutes):.1f}",
            " + ".join(f"{size:,}" for size in first.parameters),
            f"{first.images:,}",
            ", ".join(run.settings["seed"] for run in self.runs),
            f"`python train.py {' '.join(first.recipe)}`",
        ]

    def _strips(self, out: Path) -> Iterator[str]:
        """Yield the samples of each seed as a picture in Markdown."""
        for run in self.runs:
            path = strip(out, run.name).relative_to(out)
            yield f"![{COLUMNS} samples, seed {run.settings['seed']}]({path.as_posix()})"

    def _cell(self, metric: str) -> str:
        """Return the mean of a metric over the seeds, with its deviation."""
        values = [run.metrics[metric] for run in self.runs if metric in run.metrics]
        return str(Spread.of(values)) if values else ""


def rows_of(runs: Iterable[Record]) -> dict[tuple[str, Protocols], list[Row]]:
    """Return the rows of each table; the runs of a table have one data set and one protocol.

    Runs of one command whose length or networks differ are different rows: its recipe was changed
    between them. Other changes of a recipe, such as of a rate, are not seen.
    """
    grouped: dict[tuple[str, Protocols], dict[object, list[Record]]] = {}
    for run in runs:
        key = run.settings["data"], tuple(run.protocols.get(name) for name in METRICS)
        recipe = run.recipe, run.images, tuple(run.parameters)
        grouped.setdefault(key, {}).setdefault(recipe, []).append(run)
    return {key: [Row(same) for same in table.values()] for key, table in grouped.items()}


def _table(rows: Sequence[Row], protocols: Protocols, out: Path) -> Iterator[str]:
    """Yield the lines of a table, and what is to be known of its numbers."""
    first, names = rows[0].runs[0], [name for name in protocols if name is not None]
    if first.stamp:
        yield f"{protocol_line(' '.join(names), first.stamp)}."
        yield ""
    yield from _warnings(first)
    heads = ("model", "samples", *METRICS, "minutes", "parameters", "images", "seeds", "command")
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(row.cells(out))} |" for row in rows)
    if first.baseline:
        reals = (first.baseline.get(name) for name in METRICS)
        values = ["" if value is None else f"{value:.4g}" for value in reals]
        yield f"| unseen reals | | {' | '.join(values)} | | | | | |"
    yield ""
    hardware = sorted({run.hardware for row in rows for run in row.runs})
    yield f"Trained on: {'; '.join(hardware)}."
    yield ""


def _warnings(run: Record) -> Iterator[str]:
    """Yield what limits the numbers of a table."""
    stamp = run.stamp
    if stamp and not run.baseline:
        yield f"There is no test split of {stamp['real_data']} here: unseen reals have no row."
        yield ""
    if stamp and stamp["real_count"] < stamp["num_fakes"]:
        yield (
            f"There are {stamp['real_count']:,} real images here, fewer than fakes: the numbers "
            "compare the rows of this table, and nothing else."
        )
        yield ""


def _introduction(command: str) -> Iterator[str]:
    """Yield the lines above the tables."""
    yield "# Gallery"
    yield ""
    yield f"Written by `{command}` from `records/` and `strips/`."
    yield ""
    yield (
        "Each strip shows the samples of latents 0 to 9 of seed 0, one strip for each seed of "
        "training, by the averaged weights after the last step; nothing is picked. Conditional "
        "models draw the classes in turn. Minutes are those of the whole command, with measuring."
    )
    yield ""


def _lines(out: Path, others: Sequence[Unfinished], command: str) -> Iterator[str]:
    """Yield the lines of the page."""
    tables = rows_of(read_records(out))
    yield from _introduction(command)
    further = sorted({o for rows in tables.values() for row in rows for o in row.further})
    if further:
        given = ", ".join(f"`{setting}`" for setting in further)
        yield f"**Rows with {given} do not show what the recipe draws.**"
        yield ""
    for data in sorted({data for data, _ in tables}):
        yield f"## {data}"
        yield ""
        for (of, protocols), rows in tables.items():
            if of == data:
                yield from _table(rows, protocols, out)
    if not tables:
        yield "No run is finished."
        yield ""
    if others:
        yield "## Not finished"
        yield ""
        yield from (f"* `{' '.join(run.overrides)}`: {run.state}: {run.reason}" for run in others)


def write_page(out: Path, command: str) -> Path:
    """Record the finished runs of a gallery, write its ``README.md``, and return the path.

    Args:
        out: folder of the gallery.
        command: that the page names.

    Raises:
        InputError: if a record is damaged.
    """
    page = out / "README.md"
    out.mkdir(parents=True, exist_ok=True)
    others = record_runs(out)
    write_text(page, "\n".join(_lines(out, others, command)).rstrip() + "\n")
    return page
