"""One job of a sweep: a training run in a process of its own, and its outcome."""

import math
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from gan import records
from gan.callbacks.trial import PRUNED
from gan.devices import visible_gpus
from gan.errors import DIVERGED, REQUEUE, InputError
from gan.files import open_file, read_text
from gan.runs.lock import Lock
from gan.runs.results import Results
from gan.runs.resume import AUTO
from gan.sweeps.pool import Allocation, Pool, lock_folder
from gan.sweeps.signals import FORWARDER, StopError
from gan.tasks import current_task

MAIN = Path(__file__).parents[1] / "__main__.py"
_TAIL = 65536  # bytes of the log that are searched for a reason
_PREFIX = "ganymede: "  # of the one line about bad input
_ERROR = re.compile(r"^[\w.]*(Error|Exception|Interrupt|Exit)\b")
# Environment variables that describe the process which starts a job, and not the job; one run on
# W&B is one job.
_LAUNCHER = re.compile(
    r"^(SLURM_|SRUN_|PMI_|TORCHELASTIC_|MASTER_|RANK$|LOCAL_RANK$|NODE_RANK$|GROUP_RANK$|WORLD_SIZE$|PL_"
    r"|WANDB_(RUN_ID|NAME|RESUME)$)"
)


class State(StrEnum):
    """The state of a job."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    DIVERGED = "diverged"
    PRUNED = "pruned"
    PREEMPTED = "preempted"


FAILURES = (State.FAILED, State.DIVERGED)


@dataclass
class Outcome:
    """The content of ``job.json``.

    Attributes:
        state: of the job; "running" without a process means that it was killed with its sweep.
        reason: one line on why it is not finished.
        status: exit status of the training process, negative for the signal that killed it.
        seconds: run time over all attempts.
        overrides: of the job.
        score: best value of the monitored metric.
    """

    state: State = State.RUNNING
    reason: str | None = None
    status: int | None = None
    seconds: float = 0.0
    overrides: list[str] = field(default_factory=list)
    score: float | None = None

    @classmethod
    def read(cls, folder: Path) -> "Outcome | None":
        """Return the outcome of the job in a folder, if there is any."""
        content = records.read(folder / "job.json", cls, "outcome of a job")
        if content is None:
            return None
        return cls(**{**content, "state": State(content.get("state", State.RUNNING))})

    def save(self, folder: Path) -> None:
        """Write ``job.json``, whole or not at all."""
        records.write(folder / "job.json", asdict(self))


class Job:
    """A training run in its folder of a sweep.

    Args:
        folder: of the job, one in the sweep's.
        overrides: of the job.
        steps: at which it is finished.
        gpus: that it needs; ``None`` for all.
    """

    def __init__(
        self,
        folder: Path,
        overrides: list[str],
        steps: int,
        gpus: int | None,
        flags: Sequence[str] = (),
    ) -> None:
        self.folder, self.overrides, self.steps, self.gpus = folder, overrides, steps, gpus
        self.flags = list(flags)

    @classmethod
    def of(cls, config: DictConfig) -> "Job":
        """Return the job that Hydra composed."""
        hydra = HydraConfig.get()
        folder, given = Path(hydra.runtime.output_dir), hydra.overrides.task
        return cls(folder, [*map(str, given)], config.steps, gpus(config), _config_flags(hydra))

    @property
    def command(self) -> list[str]:
        """Return the command of the run, which starts or resumes it."""
        folder = [f"hydra.run.dir={self.folder}", f"resume={AUTO}"]
        return [sys.executable, str(MAIN), "train", *self.flags, *self.overrides, *folder]

    def run(self) -> Outcome:
        """Run the job unless it has ended already, and return its outcome, a failure included.

        Raises:
            StopError: if a signal was received before the job started.
        """
        with Lock(self.folder / ".lock", FORWARDER.wait) as lock:
            outcome = self._final_outcome()
            if outcome is None:
                outcome = self._train(lock)
                self._print(outcome)
            outcome.save(self.folder)
        return outcome

    def _final_outcome(self) -> Outcome | None:
        """Return the outcome of a job that is not to be run again."""
        known, results = Outcome.read(self.folder), Results.read(self.folder)
        if known is not None and known.state in (State.PRUNED, State.DIVERGED):
            return known
        if results is None or not results.finished(self.steps):
            return None
        if known is not None and known.state == State.FINISHED:
            return known
        outcome = Outcome(status=0, seconds=results.runtime, overrides=self.overrides)
        return self._after_success(outcome)

    def _train(self, lock: Lock) -> Outcome:
        """Run the training process and return its outcome."""
        known = Outcome.read(self.folder)
        outcome = Outcome(overrides=self.overrides, seconds=known.seconds if known else 0.0)
        log = self.folder / "log.txt"
        start = log.stat().st_size if log.exists() else 0
        started = time.monotonic()
        try:
            with self._devices() as allocation:
                outcome.save(self.folder)
                print(f"{self.folder}: started", flush=True)
                started = time.monotonic()
                outcome.status = self._run_process(log, allocation, [lock.descriptor])
        except (InputError, OSError) as error:
            return replace(outcome, state=State.FAILED, reason=str(error))
        outcome.seconds += time.monotonic() - started
        return self._after_exit(outcome, _last_error(log, start))

    def _run_process(self, log: Path, allocation: Allocation, locks: Sequence[int] = ()) -> int:
        """Run the training process and return its exit status."""
        environment = self._environment() | allocation.environment
        return FORWARDER.run(self.command, environment, log, [*locks, *allocation.descriptors])

    def _devices(self) -> AbstractContextManager[Allocation]:
        """Return the allocation of the GPUs; SLURM gives them to the tasks of one machine."""
        devices, task = visible_gpus(), current_task()
        pool = Pool(devices, lock_folder(), FORWARDER.wait)
        return pool.allocate(0 if task is not None and task.per_node > 1 else self._count(devices))

    def _count(self, devices: list[str]) -> int:
        """Return how many GPUs to allocate: none where there are none."""
        return 0 if not devices else len(devices) if self.gpus is None else self.gpus

    def _environment(self) -> dict[str, str]:
        """Return the environment of the run, without the variables of a launcher.

        A run of several tasks keeps those by which its processes find each other.
        """
        kept = () if current_task() is None else ("SLURM_", "MASTER_")
        named = os.environ.items()
        own = {k: v for k, v in named if not _LAUNCHER.match(k) or k.startswith(kept)}
        group = {"WANDB_RUN_GROUP": self.folder.parent.name}
        return group | own | {"HYDRA_FULL_ERROR": "0", "PYTHONUNBUFFERED": "1"}

    def _after_exit(self, outcome: Outcome, error: str) -> Outcome:
        """Return the outcome of a process that has ended.

        Args:
            outcome: with its exit status.
            error: last error in its log.
        """
        status = outcome.status or 0
        if status == 0:
            return self._after_success(outcome)
        if status == REQUEUE or (status < 0 and FORWARDER.received is not None):
            return replace(outcome, state=State.PREEMPTED, reason="stopped by a signal")
        if status < 0:
            error = f"killed by {signal.Signals(-status).name}"
        state = State.DIVERGED if status == DIVERGED else State.FAILED
        return replace(outcome, state=state, reason=error or f"exit status {status}")

    def _after_success(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a run that ended with status 0."""
        results, pruned = Results.read(self.folder), self.folder / PRUNED
        if results is None:
            return replace(outcome, state=State.FAILED, reason="left no results.json")
        score = results.score
        if score is not None and not math.isfinite(score):
            reason = f"best {results.monitor} is {score}"
            return replace(outcome, state=State.DIVERGED, reason=reason)
        outcome = replace(outcome, score=score)
        if results.finished(self.steps):
            return replace(outcome, state=State.FINISHED)
        if pruned.exists():
            return replace(outcome, state=State.PRUNED, reason=read_text(pruned).strip())
        reason = f"stopped at step {results.steps} of {self.steps}"
        return replace(outcome, state=State.PREEMPTED, reason=reason)

    def _print(self, outcome: Outcome) -> None:
        """Print the outcome of the job, a failure to the standard error."""
        score = "" if outcome.score is None else f", score {outcome.score:.4g}"
        reason = "" if outcome.reason is None else f": {outcome.reason}"
        line = f"{self.folder}: {outcome.state} after {outcome.seconds:.0f} s{score}{reason}"
        print(line, file=sys.stderr if outcome.state in FAILURES else sys.stdout, flush=True)


class Share(Job):
    """The share of a job that a further task of ``srun`` runs.

    The first task writes the outcome; this one writes a log of its own.
    """

    def run(self) -> Outcome:
        """Run the share unless the job has ended already."""
        task, outcome = current_task(), self._final_outcome()
        if outcome is None and task is not None:
            with self._devices() as allocation:
                self._run_process(self.folder / f"log_{task.number}.txt", allocation)
        return outcome or Outcome(overrides=self.overrides)


def gpus(config: DictConfig) -> int | None:
    """Return how many GPUs a run of a config needs; ``None`` for all."""
    node = config.accelerator
    if node.accelerator == "cpu":
        return 0
    return node.devices if isinstance(node.devices, int) and node.devices > 0 else None


def _config_flags(hydra: Any) -> list[str]:
    """Return the flags and the search path that tell another process where the configs are."""
    folders = [s.path for s in hydra.runtime.config_sources if s.provider == "command-line"]
    flags = [f"--config-dir={folder}" for folder in folders]
    if hydra.job.config_name != "train":
        flags.append(f"--config-name={hydra.job.config_name}")
    places = ",".join(f"'{place}'" for place in hydra.searchpath)
    return [*flags, f"hydra.searchpath=[{places}]"] if places else flags


def _last_error(log: Path, start: int) -> str:
    """Return the last error in a log from byte ``start`` on, or else its last line."""
    with open_file(log) as file:
        file.seek(max(start, log.stat().st_size - _TAIL))
        lines = re.split(r"[\r\n]+", file.read().decode(errors="replace").strip())
    explained = [line.removeprefix(_PREFIX) for line in lines if line.startswith(_PREFIX)]
    raised = [line for line in lines if _ERROR.match(line)]
    return (explained or raised or lines)[-1]


def run(config: DictConfig) -> float:
    """Run the job that Hydra composed and return its score, NaN where it has none."""
    FORWARDER.install()
    score, task = None, current_task()
    kind = Job if task is None or task.number == 0 else Share
    with suppress(StopError):
        score = None if FORWARDER.received else kind.of(config).run().score
    FORWARDER.exit_if_received()
    return math.nan if score is None else score
