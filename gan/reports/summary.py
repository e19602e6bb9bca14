"""What a run folder holds, read as far as it can be read."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gan import records
from gan.errors import InputError, printable
from gan.files import refuse_special_files
from gan.reports.history import History
from gan.runs.classes import read_class_names
from gan.runs.evaluations import Evaluations, Record
from gan.runs.results import Results
from gan.settings import documents
from gan.settings.migration import migrate_overrides, migrate_settings
from gan.sweeps.job import Outcome, State

T = TypeVar("T")

_STEP = re.compile(r"step_(\d{1,12})\.png")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
# Settings that say where a run is, how it is logged and what watches it.
_PLACES = ("run_dir", "cache_dir", "resume", "allow_targets", "hydra", "name", "logger")


@dataclass(eq=False)
class RunSummary:
    """A run, as a report shows it.

    Attributes:
        folder: of the run.
        state: of the run, or of the job of a sweep.
        reason: one line on why it is not finished, or "".
        faults: a line for each file that could not be read.
        results: at its end.
        evaluations: of ``evaluate``.
        settings: plain values by dotted key, under the names of today.
        overrides: of its command line, likewise.
        history: of ``metrics.csv``.
        classes: their names in the order of the labels.
        samples: pictures of fixed latents, by step.
        figures: pictures that commands left in its folder ``figures``.
    """

    folder: Path
    state: State = State.FINISHED
    reason: str = ""
    faults: list[str] = field(default_factory=list)
    results: Results | None = None
    evaluations: list[list[Record]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    history: History = field(default_factory=History)
    classes: tuple[str, ...] = ()
    samples: dict[int, Path] = field(default_factory=dict)
    figures: list[Path] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "RunSummary":
        """Return what can be read of a run; what cannot is named in ``faults``."""
        run = cls(folder)
        run._attempt(refuse_special_files, None)
        if run.faults:
            return run
        run.results = run._attempt(Results.read, None)
        run.evaluations = run._attempt(_evaluations, [])
        run.settings = run._attempt(_settings, {})
        run.history = run._attempt(History.read, History())
        run.classes = run._attempt(read_class_names, ())
        run.samples, run.figures = _samples(folder), _figures(folder)
        outcome = run._attempt(Outcome.read, None)
        run.overrides = outcome.overrides if outcome else run._attempt(_overrides, [])
        run.state, run.reason = run._state(outcome, run._attempt(_diagnosis, None))
        return run

    def _attempt(self, read: Callable[[Path], T], otherwise: T) -> T:
        """Return what can be read of the folder, or else note the fault."""
        try:
            return read(self.folder)
        except (InputError, OSError) as error:
            self.faults.append(printable(str(error)))
            return otherwise

    def _state(self, outcome: Outcome | None, diagnosis: str | None) -> tuple[State, str]:
        """Return the state of the run, and why it is not finished."""
        if outcome is not None and outcome.state != State.RUNNING:
            return outcome.state, printable(outcome.reason or "")
        planned = self.settings.get("steps", "?")
        if self.results is not None:
            short = planned.isdigit() and self.results.steps < int(planned)
            reason = f"stopped at step {self.results.steps} of {planned}"
            return (State.PREEMPTED, reason) if short else (State.FINISHED, "")
        if diagnosis is not None:
            return State.DIVERGED, diagnosis
        if not self.settings and not self.history.steps:
            return State.FAILED, "no run was started here"
        reason = f"no results yet: it runs, or was killed, after step {self.history.steps}"
        return State.RUNNING, f"{reason} of {planned}"

    @property
    def finished(self) -> bool:
        """Return whether the run did all its steps."""
        return self.state == State.FINISHED and self.results is not None

    @property
    def hours(self) -> float | None:
        """Return the hours of training, over all commands if they were logged."""
        if self.history.hours is None and self.results is not None:
            return self.results.seconds / 3600
        return self.history.hours

    @property
    def seed(self) -> str:
        """Return the seed, "" if it is not known."""
        return str(self.results.seed) if self.results else self.settings.get("seed", "")


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the text of each plain value of plain settings, and of a list, with its dotted key."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node if isinstance(node, str) else json.dumps(node, default=str)


def _settings(folder: Path) -> dict[str, str]:
    """Return the stored settings of a run but those of places, under the names of today."""
    path = folder / ".hydra" / "config.yaml"
    if not path.exists():
        return {}
    content = documents.read_fast(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} is no config of a run: copy it again")
    shown = {str(k): v for k, v in content.items() if k not in _PLACES}
    return {printable(k): printable(v) for k, v in leaves(migrate_settings(shown))}


def _overrides(folder: Path) -> list[str]:
    """Return the command line of a run, under the names of today."""
    path = folder / ".hydra" / "overrides.yaml"
    content = documents.read_fast(path) if path.exists() else []
    if not isinstance(content, list):
        raise InputError(f"{path} is no list: copy it again")
    return migrate_overrides(printable(str(override)) for override in content)


def _evaluations(folder: Path) -> list[list[Record]]:
    """Return the records of ``evaluate`` in groups that differ only in their seed."""
    return Evaluations(folder / "evaluation.json").groups()


def _diagnosis(folder: Path) -> str | None:
    """Return why a run diverged, or ``None`` where it did not."""
    content = records.read(folder / "diagnosis.json", dict[str, Any], "diagnosis of a run")
    if content is None:
        return None
    told = (str(content[key]) for key in ("what", "likely_cause", "remedy") if key in content)
    return f"step {content.get('step', '?')}: {'; '.join(told)}"


def _samples(folder: Path) -> dict[int, Path]:
    """Return the pictures of fixed latents by step, in the order of the steps."""
    found = ((_STEP.fullmatch(path.name), path) for path in folder.glob("samples/*.png"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def _figures(folder: Path) -> list[Path]:
    """Return the pictures that commands left for the report."""
    paths = sorted(folder.glob("figures/*"))
    return [path for path in paths if path.suffix.lower() in _PICTURES]
