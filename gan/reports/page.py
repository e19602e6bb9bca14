"""One page with everything on many runs, in one file that needs no network."""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from gan import __version__
from gan.errors import InputError, extra
from gan.files import write_text
from gan.reports import board, charts
from gan.reports.groups import Group, group_by_settings
from gan.reports.pictures import Album, Picture
from gan.reports.stamps import describe
from gan.reports.summary import RunSummary

_SAMPLES, _FIGURES = 7 * 2**20, 4 * 2**20  # characters of the pictures of a page
_SAMPLE_SIDE, _FIGURE_SIDE = 480, 1000  # pixels of the longer side, at most
_CHOSEN = 12  # runs that are chosen when the page opens, at most


@dataclass
class Page:
    """The content of a page.

    Args:
        runs: to show.
    """

    runs: Sequence[RunSummary]

    @cached_property
    def groups(self) -> list[Group]:
        """Return the runs in groups that differ in their seed."""
        return group_by_settings(self.runs)

    @cached_property
    def rows(self) -> list[board.Row]:
        """Return the rows of the tables."""
        return board.rows_of(self.groups)

    @cached_property
    def sections(self) -> list[board.Section]:
        """Return the leaderboards."""
        return board.sections(self.rows)

    @cached_property
    def ordered(self) -> list[RunSummary]:
        """Return the runs, those of the best groups first."""
        best = [row.group for section in self.sections for row in section.rows]
        groups = dict.fromkeys([*best, *self.groups])
        return [run for group in groups for run in group.runs]

    @cached_property
    def numbers(self) -> dict[RunSummary, int]:
        """Return the number of each run in the page."""
        return {run: number for number, run in enumerate(self.ordered)}

    @cached_property
    def parent(self) -> Path:
        """Return the folder below which all runs are."""
        return Path(os.path.commonpath([run.folder.absolute().parent for run in self.runs]))

    @cached_property
    def names(self) -> dict[RunSummary, str]:
        """Return the folder of each run."""
        return {run: str(run.folder.absolute().relative_to(self.parent)) for run in self.runs}

    @cached_property
    def labels(self) -> dict[RunSummary, str]:
        """Return the settings that tell a run from the others."""
        labels = {run: group.label for group in self.groups for run in group.runs}
        return {
            run: f"{label}, seed {run.seed}" if run.seed else label for run, label in labels.items()
        }

    @property
    def unfinished(self) -> list[RunSummary]:
        """Return the runs that did not do all their steps, or could not be read as a whole."""
        return [run for run in self.ordered if not run.finished or run.faults]

    @property
    def memorisation(self) -> list[dict[str, Any]]:
        """Return a table on memorisation for each stamp."""
        tables: dict[str, list[board.Row]] = {}
        for row in self.rows:
            if board.memorisation_names(row.measured):
                tables.setdefault(row.measured[0].stamp_key, []).append(row)
        return [
            {
                "protocol": describe(rows[0].measured[0].stamp),
                "names": board.memorisation_names(m for row in rows for m in row.measured),
                "rows": rows,
            }
            for rows in tables.values()
        ]

    def data(self) -> dict[str, Any]:
        """Return what the script of the page reads."""
        samples = Album(_SAMPLES, sum(bool(run.samples) for run in self.runs), _SAMPLE_SIDE)
        figures = Album(_FIGURES, sum(bool(run.figures) for run in self.runs), _FIGURE_SIDE)
        measured = [m for row in self.rows for m in row.measured]
        content = {
            "runs": self._runs(samples, figures),
            "groups": [{"label": group.label} for group in self.groups],
            "settings": charts.differences(self.groups),
            "ranking": self._ranking(),
            "classes": charts.class_tables(measured, self.numbers),
            "chosen": self._chosen(),
        }
        notes = [*samples.faults, *figures.faults]
        left = samples.left_out + figures.left_out
        if left:
            notes.append(f"{left} pictures left out to keep the page small: report fewer runs")
        return {**content, "notes": notes}

    def _runs(self, samples: Album, figures: Album) -> list[dict[str, Any]]:
        """Return the runs as the script reads them."""
        groups = {run: i for i, group in enumerate(self.groups) for run in group.runs}
        finished = (run for run in self.runs if run.results is not None)
        known = {r.history.protocol: r.results.protocols for r in finished if r.results}
        points = charts.points_a_curve(self.runs)
        return [
            {
                "name": self.names[run],
                "group": groups[run],
                "seed": run.seed,
                "tracks": charts.curves(run, points),
                "protocols": charts.protocols(run, known),
                "samples": _film(run, samples),
                "figures": _gallery(run, figures),
            }
            for run in self.ordered
        ]

    def _ranking(self) -> list[str]:
        """Return the names of the values that rank models, the monitored ones first."""
        return list(dict.fromkeys(name for s in self.sections for name, _ in s.columns))

    def _chosen(self) -> list[int]:
        """Return the runs that are chosen at first: the best groups of the largest table."""
        chosen: list[int] = []
        groups = [row.group for row in self.sections[0].rows] if self.sections else self.groups
        for group in dict.fromkeys(groups):
            numbers = [self.numbers[run] for run in group.runs]
            if chosen and len(chosen) + len(numbers) > _CHOSEN:
                break
            chosen += numbers[:_CHOSEN]
        return chosen


def _film(run: RunSummary, album: Album) -> list[dict[str, Any]]:
    """Return the pictures of fixed latents with their steps."""
    found = album.film(list(run.samples.values()))
    return [{"step": s, **asdict(found[p])} for s, p in run.samples.items() if p in found]


def _gallery(run: RunSummary, album: Album) -> list[dict[str, Any]]:
    """Return the figures under the names of their files."""
    pictures: dict[Path, Picture] = album.gallery(run.figures)
    return [{"name": path.stem, **asdict(picture)} for path, picture in pictures.items()]


def _plotly() -> str:
    """Return the plotting library.

    Raises:
        InputError: if it is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise InputError(f"out: a page needs plotly: {extra('report')}") from error
    return str(get_plotlyjs())


def _hash(script: str) -> str:
    """Return the hash by which a page allows a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _template() -> Any:
    """Return the template of a page, whose values are escaped unless it says otherwise.

    Raises:
        InputError: if jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise InputError(f"out: a page needs jinja2: {extra('report')}") from error
    environment = Environment(
        loader=PackageLoader("gan.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def write(path: Path, runs: Sequence[RunSummary]) -> None:
    """Write the page of some runs, whole or not at all.

    Raises:
        InputError: if a library of the page is not installed.
    """
    template, library, page = _template(), _plotly(), Page(runs)
    script, style = (
        (files("gan.reports") / f"page.{kind}").read_text("utf-8") for kind in ("js", "css")
    )
    data = page.data()
    text = template.render(
        page=page,
        notes=data.pop("notes"),
        data=data,
        library=library,
        script=script,
        style=style,
        hashes=[_hash(library), _hash(script)],
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        version=__version__,
    )
    write_text(path, text)
