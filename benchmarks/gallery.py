"""A page of what the recipes draw: every model on every data set, written from their runs alone.

    python -m benchmarks.gallery [models=dcgan,mlp] [data=mnist,svhn] [size=tiny] [seeds=0,1,2]
        [minutes=120] [out=runs/gallery] [KEY=VALUE ...]

Each run is ``python train.py model=M data=D size=S seed=N``, in a folder of ``out/runs``. Further
settings, such as ``accelerator=gpu``, ``data.verify=false`` or ``steps=100``, are passed on to each
run, and the page names them. Without ``models`` all that draw from latents are taken; without
``data`` MNIST, Fashion-MNIST, SVHN and CIFAR-10; without ``seeds`` 0, 1 and 2.

Runs are made one after another, seed 0 of all first. A finished run is kept, an interrupted one
goes on from its checkpoint, a failed one is tried again; one that diverged is kept as it is. After
``minutes``, or on Ctrl-C, the run in progress is interrupted. At the end, each finished run of
``out/runs`` gets a record in ``out/records`` and ten samples in ``out/strips``, and
``out/README.md`` shows them all; ``minutes=0`` writes them without training.

A run with a record is not made again, wherever it was made: these two folders can be copied to
another machine, which goes on with the other runs, or beside those of another gallery. To make a
run again, as after a change of its recipe, remove its record and its folder.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmarks.gallery_page import write_page
from benchmarks.gallery_records import is_recorded
from gan.algorithms.latent import LatentGame
from gan.commands.exits import report_errors
from gan.commands.models import ModelConfig
from gan.errors import InputError
from gan.settings.errors import explain
from gan.settings.groups import options
from gan.settings.names import nearest
from gan.settings.overrides import hydra_form
from gan.settings.resolvers import job_folder
from gan.settings.trust import load
from gan.sweeps.job import FAILURES, Job, Outcome, State, gpus
from gan.sweeps.signals import FORWARDER, StopError

DATA = ("mnist", "fashion_mnist", "svhn", "cifar10")


@dataclass
class Selection:
    """What is trained.

    Attributes:
        models: options of ``conf/model``; empty for all that draw from latents.
        data: options of ``conf/data``.
        size: of the networks.
        seeds: of the runs.
        minutes: after which the run in progress is interrupted; infinite by default.
        out: folder of page and runs.
        settings: further settings of every run.

    Raises:
        InputError: if there is no such option, or a number is none.
    """

    models: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=lambda: [*DATA])
    size: str = "tiny"
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    minutes: float = float("inf")
    out: Path = Path("runs/gallery")
    settings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for group, names in (("model", self.models), ("data", self.data)):
            for name in names:
                if name not in options(group):
                    raise InputError(f"{group}s={name}: {nearest(name, options(group))}")
        if self.minutes < 0 or min(self.seeds, default=-1) < 0:
            raise InputError("minutes and seeds: give numbers from 0")

    @classmethod
    def read(cls, arguments: Sequence[str]) -> "Selection":
        """Return what a command line selects.

        Raises:
            InputError: if an argument is no ``KEY=VALUE``, or a value is of another kind.
        """
        own, settings = dict[str, Any](), list[str]()
        kinds: dict[str, Callable[[str], Any]] = {"models": _names, "data": _names, "size": str}
        kinds |= {"seeds": _numbers, "minutes": float, "out": Path}
        for argument in arguments:
            key, equals, value = argument.partition("=")
            if not equals:
                raise InputError(f"{argument}: give KEY=VALUE")
            if key not in kinds:
                settings.append(argument)
                continue
            try:
                own[key] = kinds[key](value)
            except ValueError as error:
                raise InputError(f"{argument}: {error}") from error
        return cls(**own, settings=settings)

    def runs(self) -> Iterator[list[str]]:
        """Yield the settings of each run, all models and data sets of the first seed first."""
        for seed, data, model in product(self.seeds, self.data, self.models or latent_models()):
            given = [f"model={model}", f"data={data}", f"size={self.size}", f"seed={seed}"]
            yield [*given, *self.settings]


def _names(text: str) -> list[str]:
    """Return names that are separated by commas."""
    return [name for name in text.split(",") if name]


def _numbers(text: str) -> list[int]:
    """Return whole numbers that are separated by commas."""
    return [int(number) for number in _names(text)]


def latent_models() -> list[str]:
    """Return the models that draw from latents alone."""
    return [name for name in options("model") if _draws_from_latents(name)]


def _draws_from_latents(model: str) -> bool:
    """Return whether the game of a model is one of latents."""
    kind = load("model", ModelConfig(model, "mnist").config.model._target_, [])
    return isinstance(kind, type) and issubclass(kind, LatentGame)


def _config(overrides: Sequence[str]) -> DictConfig:
    """Return the composed config of a run.

    Raises:
        InputError: if it does not compose.
    """
    given = dict(setting.split("=", 1) for setting in overrides[:2])
    try:
        return ModelConfig(given["model"], given["data"], *map(hydra_form, overrides[2:])).config
    except Exception as error:  # what is no refusal is raised again
        line = explain(error)
        if line is None:
            raise
        raise InputError(line) from error


def train(overrides: list[str], runs: Path) -> Outcome:
    """Start or continue a run, unless it is finished, and return its outcome."""
    folder = (runs / job_folder("&".join(overrides))).absolute()
    try:
        config = _config(overrides)
    except InputError as error:
        outcome = Outcome(State.FAILED, str(error), overrides=overrides)
        folder.mkdir(parents=True, exist_ok=True)
        outcome.save(folder)
        return outcome
    return Job(folder, overrides, config.steps, gpus(config)).run()


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Send this process SIGTERM, which interrupts the run in progress, after a time."""
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), _stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _stop() -> None:
    """Send SIGTERM to the main thread, which waits for the run."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def train_all(selection: Selection) -> None:
    """Make the runs of a selection until the time is over or a signal is received."""
    end = time.monotonic() + 60 * selection.minutes
    FORWARDER.install()
    for overrides in selection.runs():
        left = end - time.monotonic()
        if left <= 0 or FORWARDER.received is not None:
            return
        if is_recorded(selection.out, overrides):
            continue
        try:
            with interrupted_after(left):
                outcome = train(overrides, selection.out / "runs")
        except (StopError, SystemExit):  # a signal before the run had started
            return
        if outcome.state in FAILURES:
            print(f"{' '.join(overrides)}: {outcome.state}: {outcome.reason}", flush=True)


def main(arguments: Sequence[str]) -> None:
    """Make the runs and write the page."""
    selection = Selection.read(arguments)
    train_all(selection)
    page = write_page(selection.out, f"python -m benchmarks.gallery {' '.join(arguments)}".strip())
    print(f"written: {page}")


if __name__ == "__main__":
    report_errors(lambda: main(sys.argv[1:]))
