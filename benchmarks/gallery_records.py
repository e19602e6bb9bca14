"""The records of a gallery: what its page shows of each finished run, apart from its folder.

A gallery can be copied to another machine, or merged with another one, by its folders ``records``
and ``strips`` alone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gan import records
from gan.algorithms.latent import LatentGame
from gan.errors import InputError
from gan.pictures import picture, save_grid
from gan.runs.checkpoints import load
from gan.runs.results import Results
from gan.settings.resolvers import job_folder
from gan.sweeps.job import Outcome, State

COLUMNS = 10  # samples of a strip
METRICS = ("fid", "is", "coverage")
# Settings that change where a run computes and what it reads, not what is computed.
NEUTRAL = ("accelerator", "cache_dir", "data.cache", "data.root", "data.verify", "data.workers")


@dataclass(frozen=True)
class Record:
    """A finished run.

    Attributes:
        overrides: of its command line.
        seconds: of the whole command, with measuring.
        images: real images shown to D.
        parameters: numbers of G and D, or of G alone.
        hardware: that trained it.
        metrics: values after the last step by the names of `METRICS`, without those it lacks.
        protocols: short names of the metrics' protocols, by the same names.
        stamp: protocol of all metrics.
        baseline: values of unseen real images, by the same names.
    """

    overrides: list[str]
    seconds: float
    images: int
    parameters: list[int]
    hardware: str
    metrics: dict[str, float] = field(default_factory=dict)
    protocols: dict[str, str] = field(default_factory=dict)
    stamp: dict[str, Any] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, outcome: Outcome, results: Results, game: LatentGame) -> "Record":
        """Return the record of a run with these results."""
        networks = [net for net in (game.generator, game.discriminator) if net is not None]
        keys = {name: key for key in results.final if (name := _name(key)) in METRICS}
        return cls(
            overrides=outcome.overrides,
            seconds=outcome.seconds,
            images=results.images,
            parameters=[sum(p.numel() for p in net.parameters()) for net in networks],
            hardware=results.hardware,
            metrics={name: results.final[key] for name, key in keys.items()},
            protocols=_chosen(results.protocols, keys),
            stamp=results.stamp,
            baseline=_chosen(results.baseline, keys),
        )

    @property
    def settings(self) -> dict[str, str]:
        """Return what was given on its command line."""
        return dict(setting.split("=", 1) for setting in self.overrides)

    @property
    def recipe(self) -> tuple[str, ...]:
        """Return its command line without the seed and without neutral settings."""
        return tuple(o for o in _computed(self.overrides) if not o.startswith("seed="))

    @property
    def name(self) -> str:
        """Return the name of its files, the same for all runs that differ in neutral settings."""
        return _file_name(self.overrides)


def _name(key: str) -> str:
    """Return the name of a metric without its backbone."""
    return key.rpartition("/")[2]


def _chosen(values: dict[str, Any], keys: dict[str, str]) -> dict[str, Any]:
    """Return the values of some keys by other names, without those that are missing."""
    return {name: values[key] for name, key in keys.items() if key in values}


def _computed(overrides: Sequence[str]) -> list[str]:
    """Return overrides without neutral ones."""
    return [o for o in overrides if o.split("=")[0] not in NEUTRAL]


def _file_name(overrides: Sequence[str]) -> str:
    """Return the name of the files of a run."""
    return job_folder("&".join(_computed(overrides)))


def is_recorded(out: Path, overrides: Sequence[str]) -> bool:
    """Return whether a gallery has the record and the strip of a run."""
    name = _file_name(overrides)
    return _record(out, name).exists() and strip(out, name).exists()


def strip(out: Path, name: str) -> Path:
    """Return the picture of a run's samples."""
    return out / "strips" / f"{name}.png"


def _record(out: Path, name: str) -> Path:
    """Return the file of a record."""
    return out / "records" / f"{name}.json"


def read_records(out: Path) -> list[Record]:
    """Return the records of a gallery, in the order of their names.

    Raises:
        InputError: if a file holds something else.
    """
    contents = (
        records.read(path, Record, "record of a run") for path in sorted(out.glob("records/*.json"))
    )
    return [Record(**content) for content in contents]


@dataclass(frozen=True)
class Unfinished:
    """A run without results: what was given on its command line, its state and the reason."""

    overrides: Sequence[str]
    state: str
    reason: str


def record_runs(out: Path) -> list[Unfinished]:
    """Write the record and the strip of each finished run of ``out/runs``, and return the others.

    A run whose files are damaged is one of the others.
    """
    others = list[Unfinished]()
    for folder in sorted(out.glob("runs/*/")):
        try:
            others += _record_run(folder, out)
        except InputError as error:
            others.append(Unfinished([folder.name], "unreadable", str(error)))
    return others


def _record_run(folder: Path, out: Path) -> list[Unfinished]:
    """Write the record and the strip of a run, or return why it has none.

    Raises:
        InputError: if its files are damaged, or its game draws nothing from latents.
    """
    outcome, results = Outcome.read(folder), Results.read(folder)
    if outcome is None:
        raise InputError("it has no job.json")
    if outcome.state is not State.FINISHED or results is None:
        reason = outcome.reason or "its process was killed: the same command goes on"
        return [Unfinished(outcome.overrides, outcome.state, reason)]
    game = load(folder, "last", kind=LatentGame)
    record = Record.of(outcome, results, game)
    save_grid(picture(game.sample(COLUMNS, seed=0), COLUMNS), strip(out, record.name))
    path = _record(out, record.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    records.write(path, asdict(record))
    return []
