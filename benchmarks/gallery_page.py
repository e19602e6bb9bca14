"""The page of a gallery: tables and strips of samples, from the run folders of one folder."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gan.algorithms.latent import LatentGame
from gan.commands.evaluate import protocol_line
from gan.errors import InputError
from gan.files import write_text
from gan.pictures import picture, save_grid
from gan.runs.checkpoints import load
from gan.runs.evaluations import Spread
from gan.runs.results import Results
from gan.settings.resolvers import job_folder
from gan.sweeps.job import Outcome, State

COLUMNS = 10  # samples of a strip
METRICS = ("fid", "is", "coverage")
RECIPE = ("model", "data", "size", "seed")  # settings that choose a recipe
# Settings that change where a run computes and what it reads, not what is computed.
NEUTRAL = ("accelerator", "cache_dir", "data.cache", "data.root", "data.verify", "data.workers")
Protocols = tuple[str | None, ...]


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        folder: of the run.
        outcome: of its job.
        results: of its training.
    """

    folder: Path
    outcome: Outcome
    results: Results

    @property
    def settings(self) -> dict[str, str]:
        """Return what was given on its command line."""
        return dict(setting.split("=", 1) for setting in self.outcome.overrides)

    @property
    def recipe(self) -> tuple[str, ...]:
        """Return its command line without the seed."""
        return tuple(o for o in self.outcome.overrides if not o.startswith("seed="))

    @property
    def protocols(self) -> Protocols:
        """Return the protocols of the metrics that are shown, ``None`` of those it lacks."""
        return tuple(self.results.protocols.get(self.key(name)) for name in METRICS)

    def key(self, metric: str) -> str:
        """Return the name of a metric with its backbone, such as "domain/fid"."""
        found = (key for key in self.results.final if key.rpartition("/")[2] == metric)
        return next(found, metric)

    def value(self, metric: str) -> float | None:
        """Return the value of a metric after the last step."""
        return self.results.final.get(self.key(metric))

    def load(self) -> LatentGame:
        """Return the game of its last checkpoint.

        Raises:
            InputError: if it has none, or draws nothing from latents.
        """
        return load(self.folder, "last", kind=LatentGame)


@dataclass(frozen=True)
class Unfinished:
    """A run without results: what was given on its command line, its state and the reason."""

    overrides: Sequence[str]
    state: str
    reason: str


def read_runs(folder: Path) -> tuple[list[Trained], list[Unfinished]]:
    """Return the runs of the folders in a folder: those that finished, and the others.

    A run whose files are damaged is one of the others.
    """
    finished, others = list[Trained](), list[Unfinished]()
    for run in sorted(folder.glob("*/")):
        try:
            outcome, results = Outcome.read(run), Results.read(run)
            if outcome is None:
                raise InputError("it has no job.json")
            if outcome.state is not State.FINISHED or results is None:
                reason = outcome.reason or "its process was killed: the same command goes on"
                others.append(Unfinished(outcome.overrides, outcome.state, reason))
                continue
            trained = Trained(run, outcome, results)
            trained.load()  # a damaged checkpoint is found here
            finished.append(trained)
        except InputError as error:
            others.append(Unfinished([run.name], "unreadable", str(error)))
    return finished, others


@dataclass(frozen=True)
class Row:
    """The runs of one recipe on one data set, which differ in their seed."""

    runs: Sequence[Trained]

    @property
    def settings(self) -> dict[str, str]:
        """Return what was given on the command line, with the first seed."""
        return self.runs[0].settings

    @property
    def further(self) -> list[str]:
        """Return the settings by which the runs differ from the recipe."""
        known = (*RECIPE, *NEUTRAL)
        return [o for o in self.runs[0].recipe if o.split("=")[0] not in known]

    def cells(self, game: LatentGame, strip: str) -> list[str]:
        """Return the cells of the table, with the game of a seed and the path of the strip."""
        first, networks = self.runs[0], (game.generator, game.discriminator)
        sizes = [sum(p.numel() for p in n.parameters()) for n in networks if n is not None]
        minutes = [run.outcome.seconds / 60 for run in self.runs]
        return [
            f"`{self.settings['model']}`",
            f"![10 samples]({strip})",
            *(self._cell(name) for name in METRICS),
            f"{sum(minutes) / len(minutes):.1f}",
            " + ".join(f"{size:,}" for size in sizes),
            f"{first.results.images:,}",
            ", ".join(run.settings["seed"] for run in self.runs),
            f"`python train.py {' '.join(first.recipe)}`",
        ]

    def _cell(self, metric: str) -> str:
        """Return the mean of a metric over the seeds, with its deviation."""
        values = [value for run in self.runs if (value := run.value(metric)) is not None]
        return str(Spread.of(values)) if values else ""

    def save_strip(self, games: Iterable[LatentGame], folder: Path) -> str:
        """Write the first samples of each seed's game, a row each, and return the file's name."""
        name = f"{job_folder('&'.join(self.runs[0].recipe))}.png"
        rows = [game.sample(COLUMNS, seed=0) for game in games]
        save_grid(picture(torch.cat(rows), COLUMNS), folder / name)
        return name


def rows_of(runs: Iterable[Trained]) -> dict[tuple[str, Protocols], list[Row]]:
    """Return the rows of each table; the runs of a table have one data set and one protocol."""
    grouped: dict[tuple[str, Protocols], dict[tuple[str, ...], list[Trained]]] = {}
    for run in runs:
        table = grouped.setdefault((run.settings["data"], run.protocols), {})
        table.setdefault(run.recipe, []).append(run)
    return {key: [Row(same) for same in table.values()] for key, table in grouped.items()}


def _table(rows: Sequence[Row], out: Path) -> Iterator[str]:
    """Yield the lines of a table, and what is to be known of its numbers."""
    results = rows[0].runs[0].results
    stamp, names = results.stamp, [p for p in rows[0].runs[0].protocols if p is not None]
    if stamp:
        yield f"{protocol_line(' '.join(names), stamp)}."
        yield ""
    yield from _warnings(results)
    heads = ("model", "samples", *METRICS, "minutes", "parameters", "images", "seeds", "command")
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        games = [run.load() for run in row.runs]
        strip = row.save_strip(games, out / "strips")
        yield f"| {' | '.join(row.cells(games[0], f'strips/{strip}'))} |"
    reals = [results.baseline.get(rows[0].runs[0].key(name)) for name in METRICS]
    if results.baseline:
        values = ["" if value is None else f"{value:.4g}" for value in reals]
        yield f"| unseen reals | | {' | '.join(values)} | | | | | |"
    yield ""
    hardware = sorted({run.results.hardware for row in rows for run in row.runs})
    yield f"Trained on: {'; '.join(hardware)}."
    yield ""


def _warnings(results: Results) -> Iterator[str]:
    """Yield what limits the numbers of a table."""
    stamp = results.stamp
    if stamp and not results.baseline:
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
    yield f"Written by `{command}` from the run folders in `runs/`."
    yield ""
    yield (
        "Each strip shows the samples of latents 0 to 9 of seed 0, a row for each seed of "
        "training, by the averaged weights after the last step; nothing is picked. Conditional "
        "models draw the classes in turn. Minutes are those of the whole command, with measuring."
    )
    yield ""


def _lines(out: Path, command: str) -> Iterator[str]:
    """Yield the lines of the page."""
    finished, others = read_runs(out / "runs")
    tables = rows_of(finished)
    yield from _introduction(command)
    further = sorted({o for rows in tables.values() for row in rows for o in row.further})
    if further:
        given = ", ".join(f"`{setting}`" for setting in further)
        yield f"**Rows with {given} do not show what the recipe draws.**"
        yield ""
    for data in sorted({data for data, _ in tables}):
        yield f"## {data}"
        yield ""
        for (of, _), rows in tables.items():
            if of == data:
                yield from _table(rows, out)
    if not finished:
        yield "No run is finished."
        yield ""
    if others:
        yield "## Not finished"
        yield ""
        yield from (f"* `{' '.join(run.overrides)}`: {run.state}: {run.reason}" for run in others)


def write_page(out: Path, command: str) -> Path:
    """Write ``README.md`` and the strips of a gallery, and return the path of the page.

    Args:
        out: folder of the gallery.
        command: that the page names.
    """
    page = out / "README.md"
    out.mkdir(parents=True, exist_ok=True)
    write_text(page, "\n".join(_lines(out, command)).rstrip() + "\n")
    return page
