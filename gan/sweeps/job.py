"""One job of a sweep: a training run in a process of its own, and what became of it."""

import json
import math
import os
import re
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from gan.callbacks.pruning import PRUNED
from gan.callbacks.signals import REQUEUE
from gan.devices import visible_gpus
from gan.errors import DIVERGED, InputError
from gan.runs.lock import Lock
from gan.runs.results import Results
from gan.runs.resume import AUTO
from gan.sweeps.pool import Pool, place
from gan.sweeps.signals import RELAY, StopError

TRAIN = Path(__file__).parents[2] / "train.py"
_TAIL = 65536  # bytes of the log in which a reason is looked for
_OURS = "ganymede: "  # how the one line about bad input begins
_ERROR = re.compile(r"^[\w.]*(Error|Exception|Interrupt|Exit)\b")
# What describes the process that starts a job, and not the job.
_FOREIGN = re.compile(
    r"^(SLURM_|SRUN_|PMI_|TORCHELASTIC_|MASTER_|RANK$|LOCAL_RANK$|NODE_RANK$|GROUP_RANK$|WORLD_SIZE$|PL_)"
)


class State(StrEnum):
    """What became of a job."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    DIVERGED = "diverged"
    PRUNED = "pruned"
    PREEMPTED = "preempted"


BAD = (State.FAILED, State.DIVERGED)


@dataclass
class Outcome:
    """The content of ``job.json``.

    Attributes:
        state: of the job; one that says it is running and is not was killed with its sweep.
        reason: why it is not finished, in one line.
        status: exit status of the training process, minus the signal that killed it.
        seconds: that it ran, over all attempts.
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
        path = folder / "job.json"
        if not path.exists():
            return None
        content = json.loads(path.read_text())
        return cls(**{**content, "state": State(content["state"])})

    def save(self, folder: Path) -> None:
        """Write ``job.json``, whole or not at all."""
        part = folder / "job.part"
        part.write_text(json.dumps(asdict(self), indent=2) + "\n")
        os.replace(part, folder / "job.json")


class Job:
    """A run of ``train.py`` in its folder of a sweep.

    Args:
        folder: of the job, one in the sweep's.
        overrides: of the job.
        steps: at which it is finished.
        gpus: that it asks for; ``None`` for all.
    """

    def __init__(self, folder: Path, overrides: list[str], steps: int, gpus: int | None) -> None:
        self.folder, self.overrides, self.steps, self.gpus = folder, overrides, steps, gpus

    @classmethod
    def of(cls, config: DictConfig) -> "Job":
        """Return the job that Hydra composed."""
        hydra, node = HydraConfig.get(), config.accelerator
        asked = node.devices if isinstance(node.devices, int) and node.devices > 0 else None
        return cls(
            Path(hydra.runtime.output_dir),
            [str(override) for override in hydra.overrides.task],
            config.steps,
            0 if node.accelerator == "cpu" else asked,
        )

    @property
    def command(self) -> list[str]:
        """Return the command of the run, which starts it or goes on with it."""
        folder = f"hydra.run.dir={self.folder}"
        return [sys.executable, str(TRAIN), *self.overrides, folder, f"resume={AUTO}"]

    def run(self) -> Outcome:
        """Run the job unless it has an end already; its failure is an outcome like another.

        Raises:
            StopError: if the process was asked to stop before the job began.
        """
        with Lock(self.folder / ".lock", RELAY.pause) as lock:
            outcome = self._settled()
            if outcome is None:
                outcome = self._tried(lock)
                self._tell(outcome)
            outcome.save(self.folder)
        return outcome

    def _settled(self) -> Outcome | None:
        """Return the outcome of a job that is not to be run again."""
        known, results = Outcome.read(self.folder), Results.read(self.folder)
        if known is not None and known.state in (State.PRUNED, State.DIVERGED):
            return known
        if results is None or results.steps < self.steps:
            return None
        if known is not None and known.state == State.FINISHED:
            return known
        return self._ended(Outcome(status=0, seconds=results.seconds, overrides=self.overrides))

    def _tried(self, lock: Lock) -> Outcome:
        """Run the training process and say what became of it."""
        known = Outcome.read(self.folder)
        outcome = Outcome(overrides=self.overrides, seconds=known.seconds if known else 0.0)
        log, started = self.folder / "log.txt", time.monotonic()
        written = log.stat().st_size if log.exists() else 0
        devices = visible_gpus()
        pool = Pool(devices, place(), RELAY.pause)
        try:
            with pool.lease(self._count(devices)) as lease:
                outcome.save(self.folder)
                print(f"{self.folder}: started", flush=True)
                started = time.monotonic()
                held = [lock.descriptor, *lease.descriptors]
                environment = self._environment() | lease.environment
                outcome.status = RELAY.run(self.command, environment, log, held)
        except (InputError, OSError) as error:
            return replace(outcome, state=State.FAILED, reason=str(error))
        outcome.seconds += time.monotonic() - started
        return self._judged(outcome, _said(log, written))

    def _count(self, devices: list[str]) -> int:
        """Return how many GPUs to ask the pool for: none where there are none."""
        return 0 if not devices else len(devices) if self.gpus is None else self.gpus

    def _environment(self) -> dict[str, str]:
        """Return the environment of the run: one of its own, not that of a step of a scheduler."""
        own = {k: v for k, v in os.environ.items() if not _FOREIGN.match(k)}
        group = {"WANDB_RUN_GROUP": self.folder.parent.name}
        return group | own | {"HYDRA_FULL_ERROR": "0", "PYTHONUNBUFFERED": "1"}

    def _judged(self, outcome: Outcome, said: str) -> Outcome:
        """Return the outcome of a process that has ended."""
        status = outcome.status or 0
        if status == 0:
            return self._ended(outcome)
        if status == REQUEUE or (status < 0 and RELAY.asked is not None):
            return replace(outcome, state=State.PREEMPTED, reason="stopped by a signal")
        if status < 0:
            said = f"killed by {signal.Signals(-status).name}"
        state = State.DIVERGED if status == DIVERGED else State.FAILED
        return replace(outcome, state=state, reason=said or f"exit status {status}")

    def _ended(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a run that ended by itself."""
        results, pruned = Results.read(self.folder), self.folder / PRUNED
        if results is None:
            return replace(outcome, state=State.FAILED, reason="left no results.json")
        score = results.score
        if score is not None and not math.isfinite(score):
            reason = f"best {results.monitor} is {score}"
            return replace(outcome, state=State.DIVERGED, reason=reason)
        outcome = replace(outcome, score=score)
        if results.steps >= self.steps:
            return replace(outcome, state=State.FINISHED)
        if pruned.exists():
            return replace(outcome, state=State.PRUNED, reason=pruned.read_text().strip())
        reason = f"stopped at step {results.steps} of {self.steps}"
        return replace(outcome, state=State.PREEMPTED, reason=reason)

    def _tell(self, outcome: Outcome) -> None:
        """Print what became of the job; a failure to the standard error."""
        score = "" if outcome.score is None else f", score {outcome.score:.4g}"
        reason = "" if outcome.reason is None else f": {outcome.reason}"
        line = f"{self.folder}: {outcome.state} after {outcome.seconds:.0f} s{score}{reason}"
        print(line, file=sys.stderr if outcome.state in BAD else sys.stdout, flush=True)


def _said(log: Path, start: int) -> str:
    """Return what a run that failed says of it in the part of its log from ``start`` on."""
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - _TAIL))
        lines = re.split(r"[\r\n]+", file.read().decode(errors="replace").strip())
    told = [line.removeprefix(_OURS) for line in lines if line.startswith(_OURS)]
    raised = [line for line in lines if _ERROR.match(line)]
    return (told or raised or lines)[-1]


def run(config: DictConfig) -> float:
    """Run the job that Hydra composed and return its score, NaN where it has none."""
    RELAY.listen()
    score = None
    with suppress(StopError):
        score = None if RELAY.asked else Job.of(config).run().score
    RELAY.depart()
    return math.nan if score is None else score
