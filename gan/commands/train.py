"""Training: ``ganymede train model=dcgan loss=hinge data=cifar10``."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan.commands.exits import report_errors
from gan.errors import InputError
from gan.runs.cleanup import Cleanup
from gan.runs.data import check_settings, count_classes
from gan.runs.folder import Run, holds_run, names_of, open_run
from gan.runs.lock import is_first_process, locked
from gan.runs.results import Results
from gan.runs.resume import AUTO, Resumption, has_checkpoint, make_root_absolute, resume
from gan.settings import resolvers, schema, stored
from gan.settings.cache import check_writable
from gan.settings.commandline import CommandLine
from gan.settings.errors import explain, reading_settings, unreadable
from gan.settings.groups import CONF
from gan.settings.overrides import chosen, key_of, parse
from gan.settings.unused import refuse_unused
from gan.sweeps import job, tpe
from gan.sweeps.callback import write_leaderboard
from gan.sweeps.checks import check_sweep

# Pages of 2 MB for large tensors on a CPU; PyTorch reads it when it is imported.
_LARGE_PAGES = ("THP_MEM_ALLOC_ENABLE", "1")


def train(config: DictConfig, resumed: Resumption | None = None) -> float | None:
    """Train a model on a data set and return the best value of the monitored metric.

    Args:
        config: settings of the run.
        resumed: what is known of a run that is resumed.

    Raises:
        InputError: on bad input, before training.
    """
    with locked(Path(config.run_dir)):
        _check(config)
        return _train(config, resumed)


def _check(config: DictConfig) -> None:
    """Refuse wrong settings, and count the classes of the data."""
    with reading_settings():
        check_settings(config)
        count_classes(config)
    _check_source(config)


def _check_source(config: DictConfig) -> None:
    """Refuse a source that has no weights, and frozen layers without a source."""
    layers = config.freeze.discriminator
    if config.init is not None:
        open_run(config.init, list(config.allow_targets)).checkpoint(*names_of(None))
    elif layers:
        raise InputError(
            f"freeze.discriminator={layers}: layers are frozen as they are in a trained model: add "
            "init=RUN, or leave it out"
        )


def _train(config: DictConfig, resumed: Resumption | None = None) -> float | None:
    """Train with checked settings in a folder that is locked."""
    if config.metrics:
        check_writable(Path(config.cache_dir))
    os.environ.setdefault(*_LARGE_PAGES)
    from gan.runs import training  # imports PyTorch, which a refused config does without

    return training.train(config, resumed).score


@dataclass(frozen=True)
class Start:
    """A run that starts, or goes on, in a folder.

    Attributes:
        folder: of the run.
        line: the command line.
        cleanup: that is told when the folder is this run's own.
    """

    folder: Path
    line: CommandLine
    cleanup: Cleanup

    def begin(self, config: DictConfig) -> float | None:
        """Start a run with a composed config, or resume the one that is in the folder.

        Raises:
            InputError: on bad input, or if the folder holds a run that is not to be resumed.
        """
        if config.resume == AUTO and has_checkpoint(self.folder):
            return self.resume()
        with locked(self.folder):
            first = is_first_process()
            if first:
                self._refuse_used(may_hold_run=config.resume == AUTO)
            self.line.drop_unchosen(config)
            _check(config)
            refuse_unused(config, self.line.parsed)
            if first:
                with reading_settings():
                    self._store(config, choices=_composed_choices())
            return _train(config)

    def _refuse_used(self, may_hold_run: bool) -> None:
        """Refuse a folder that holds a run, or is part of another one."""
        if not may_hold_run and holds_run(self.folder):
            raise InputError(
                f"{self.folder} holds a run already: choose another hydra.run.dir, or resume "
                f"it by resume={self.folder}"
            )
        for parent in self.folder.parents:
            if (parent / ".hydra" / "config.yaml").exists():
                raise InputError(f"{self.folder} is inside the run {parent}: choose another folder")

    def resume(self) -> float | None:
        """Resume the run in the folder with its stored settings and what is given now.

        Raises:
            InputError: on bad input, or if it would be another run.
        """
        run = Run(self.folder, self.line.value("allow_targets") or [])
        with locked(self.folder):
            with reading_settings():
                resumed = resume(run, self.line)
            config, automatic = resumed.config, self.line.value("resume") == AUTO
            config.resume = AUTO if automatic else str(self.folder)
            config.allow_targets = self.line.value("allow_targets") or []
            done = Results.read(self.folder) if automatic else None
            if done is not None and done.finished(config.steps):
                print(f"{self.folder} is finished already{self._early(done)}")
                return done.score
            if is_first_process():
                self._store(config, run.overrides, resumed.expressions, stored.choices(self.folder))
            return _train(config, resumed)

    def _early(self, done: Results) -> str:
        """Return how a run ended that was stopped early, as the end of a line."""
        if done.stopped is None:
            return ""
        remedy = f"resume={self.folder} stop.patience=null goes on"
        return f" at step {done.steps}: {done.stopped}: {remedy}"

    def _store(
        self,
        config: DictConfig,
        before: Sequence[str] = (),
        expressions: Mapping[str, str] = MappingProxyType({}),
        choices: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write the settings to the run folder.

        Args:
            config: settings of the run.
            before: overrides that were given when it was started.
            expressions: behind its computed values.
            choices: option of each group, but for those that are given now.
        """
        self.cleanup.owned = True
        make_root_absolute(config)
        unstored = ("allow_targets", "resume", "hydra", "schedule.restretch")
        given = {key_of(o): str(o.input_line) for o in self.line.parsed}
        earlier = {key_of(o): str(o.input_line) for o in parse(before)}
        merged = {k: v for k, v in (earlier | given).items() if not k.startswith(unstored)}
        now = dict(choices) | chosen(str(o.input_line) for o in self.line.parsed)
        stored.save(self.folder, config, list(merged.values()), expressions, now)


def _composed_choices() -> dict[str, str]:
    """Return the option of each group of ``conf/`` in the config that Hydra composed."""
    found = HydraConfig.get().runtime.choices
    plain = {str(k).partition("@")[2] or str(k): v for k, v in found.items() if v is not None}
    return {group: str(option) for group, option in plain.items() if "/" not in group}


class Task:
    """What Hydra runs for a composed config: a training run, or a job of a sweep.

    Args:
        line: the command line.
        command: the command line as a whole, by which Lightning starts further processes.
        cleanup: that gets the run folder.
    """

    def __init__(self, line: CommandLine, command: list[str], cleanup: Cleanup) -> None:
        self.line, self.command, self.cleanup = line, command, cleanup
        self.started = False

    def __call__(self, config: DictConfig) -> float | None:
        """Train and return the monitored metric; a job of a sweep trains in its own process."""
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            self.started = True
            return job.run(config)
        sys.argv, self.started = self.command, True
        folder = Path(HydraConfig.get().runtime.output_dir)
        self.cleanup.folder = folder
        return report_errors(lambda: Start(folder, self.line, self.cleanup).begin(config))


def main(given: list[str]) -> None:
    """Run training on the arguments of the command line."""
    program = sys.argv[: len(sys.argv) - len(given)] or ["ganymede"]
    report_errors(lambda: _run(program, [a for a in given if a != "--debug"]))


def _run(program: list[str], given: list[str]) -> None:
    """Resume a run, or let Hydra compose a config and run the task."""
    resolvers.register()
    schema.register()
    tpe.register()
    with reading_settings():
        line = CommandLine(given)
        folder = line.value("resume")
    with write_leaderboard(), Cleanup(folder or line.value("hydra.run.dir")) as cleanup:
        if line.flags.multirun:
            with reading_settings():
                check_sweep(line)
        if folder in (None, AUTO) or line.shows_config:
            report_errors(lambda: _run_hydra(program, line, cleanup))
        else:
            report_errors(lambda: Start(Path(folder), line, cleanup).resume())


def _run_hydra(program: list[str], line: CommandLine, cleanup: Cleanup) -> None:
    """Let Hydra compose the config and run the task; it reads ``sys.argv``."""
    before = sys.argv
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach the caller, who explains them
    command = [*line.hydra_flags, *line.arguments]
    task = Task(line, [*program, *command], cleanup)
    try:
        sys.argv = [program[0], *command]
        hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")(task)()
    except Exception as error:  # Hydra fails in any way on what it cannot compose
        if task.started or explain(error) is not None:
            raise
        raise unreadable(error) from error
    finally:
        sys.argv = before
