import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.callbacks.trial import PRUNED
from gan.errors import InputError
from gan.runs.lock import Lock
from gan.settings.resolvers import job_folder
from gan.sweeps import job as jobs
from gan.sweeps.checks import _check_machines
from gan.sweeps.job import Job, Outcome, Share, State
from gan.sweeps.signals import FORWARDER, SignalForwarder
from tests.sweeps.launching import fid, results

# A stand-in for training: it does what its first override says, in the folder of the job.
STAND_IN = """
import json, os, signal, sys, time
from pathlib import Path
act, folder = sys.argv[2], Path(next(a for a in sys.argv if "run.dir" in a).partition("=")[2])
(folder / "ran").open("a").write("x")
(folder / "environment.json").write_text(json.dumps(dict(os.environ)))
files = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists()]
(folder / "files.json").write_text(json.dumps(files))
if act in ("end", "pruned", "short", "nan"):
    (folder / "results.json").write_bytes((folder.parent / f"{act}.json").read_bytes())
if act == "pruned":
    (folder / "pruned.txt").write_text("behind\\n")
if act == "bad":
    print("ganymede: prior.dim=0: give a number from 1\\nafterwards", file=sys.stderr)
    sys.exit(2)
if act == "diverged":
    print("ganymede: the loss is not finite: lower the learning rate")
    sys.exit(3)
if act == "raise":
    raise KeyError("a fault")
if act == "crash":
    print("halfway\\rmore", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if act == "preempted":
    sys.exit(75)
if act == "wait":
    heard = []
    for number in (signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, lambda n, _: heard.append(n))
    (folder / "waits").touch()
    while not heard:
        time.sleep(0.02)
    time.sleep(0.3)
    (folder / "heard.json").write_text(json.dumps(heard))
    sys.exit(0 if signal.SIGINT in heard else 75)
"""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a sweep whose jobs are stand-ins."""
    (tmp_path / "train.py").write_text(STAND_IN)
    monkeypatch.setattr(jobs, "MAIN", tmp_path / "train.py")
    ends: dict[str, dict[str, Any]] = {"end": {}, "pruned": {"steps": 4}, "short": {"steps": 4}}
    ends["nan"] = fid(math.nan)
    for name, given in ends.items():
        text = json.dumps(asdict(results(tmp_path, **given)))
        (tmp_path / f"{name}.json").write_text(text)
    yield tmp_path
    FORWARDER.restore()


def made(sweep: Path, act: str) -> Job:
    (sweep / act).mkdir(exist_ok=True)
    return Job(sweep / act, [act], steps=10, gpus=0)


def tries(job: Job) -> int:
    return len((job.folder / "ran").read_text())


ENDS = [
    ("end", State.FINISHED, None, 0, 5.0),
    ("bad", State.FAILED, "prior.dim=0: give a number from 1", 2, None),
    ("raise", State.FAILED, "KeyError: 'a fault'", 1, None),
    ("crash", State.FAILED, "killed by SIGKILL", -9, None),
    ("diverged", State.DIVERGED, "the loss is not finite: lower the learning rate", 3, None),
    ("nan", State.DIVERGED, "best domain/fid is nan", 0, None),
    ("pruned", State.PRUNED, "behind", 0, 5.0),
    ("short", State.PREEMPTED, "stopped at step 4 of 10", 0, 5.0),
    ("preempted", State.PREEMPTED, "stopped by a signal", 75, None),
    ("nothing", State.FAILED, "left no results.json", 0, None),
]


@pytest.mark.parametrize(("act", "state", "reason", "status", "score"), ENDS)
def test_every_end_is_told_with_its_reason(
    sweep: Path, act: str, state: State, reason: str | None, status: int, score: float | None
) -> None:
    job = made(sweep, act)
    outcome = job.run()
    assert outcome == Outcome.read(job.folder)
    assert (outcome.state, outcome.reason, outcome.status) == (state, reason, status)
    assert outcome.score == score
    assert outcome.overrides == [act]
    assert 0 < outcome.seconds < 20


@pytest.mark.parametrize(
    ("act", "again"),
    [
        *[(act, 0) for act in ("end", "pruned", "diverged", "nan")],
        *[(act, 1) for act in ("bad", "crash", "short", "preempted")],
    ],
)
def test_only_what_is_missing_runs_again(sweep: Path, act: str, again: int) -> None:
    job = made(sweep, act)
    first = job.run()
    second = job.run()
    assert tries(job) == 1 + again
    assert second.state == first.state
    assert (second.seconds > first.seconds) == bool(again)


def test_a_job_that_was_killed_with_its_sweep_runs_again(sweep: Path) -> None:
    job = made(sweep, "end")
    Outcome(State.RUNNING, seconds=5.0).save(job.folder)
    assert job.run().state == State.FINISHED
    assert job.run().seconds > 5.0
    assert tries(job) == 1


def test_a_run_that_its_sweep_did_not_see_finish_is_finished(sweep: Path) -> None:
    job = made(sweep, "end")
    Outcome(State.RUNNING).save(job.folder)
    (job.folder / "results.json").write_bytes((sweep / "end.json").read_bytes())
    assert job.run().state == State.FINISHED
    assert not (job.folder / "ran").exists()


def test_a_job_that_still_runs_is_waited_for(sweep: Path) -> None:
    script = "import time; time.sleep(1.5)"
    job = made(sweep, "end")
    with Lock(job.folder / ".lock", FORWARDER.wait) as lock:
        subprocess.Popen([sys.executable, "-c", script], pass_fds=[lock.descriptor])
    start = time.monotonic()
    assert job.run().state == State.FINISHED
    assert time.monotonic() - start > 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc")
def test_a_job_that_outlives_its_sweep_keeps_its_folder(sweep: Path) -> None:
    job = made(sweep, "end")
    job.run()
    assert str(job.folder / ".lock") in json.loads((job.folder / "files.json").read_text())


def test_a_run_is_a_run_of_its_own(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_NTASKS", "MASTER_PORT", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.delenv("WANDB_RUN_GROUP", raising=False)
    job = made(sweep, "end")
    job.run()
    environment = json.loads((job.folder / "environment.json").read_text())
    assert not {"SLURM_NTASKS", "MASTER_PORT", "LOCAL_RANK", "WORLD_SIZE"} & environment.keys()
    assert environment["HYDRA_FULL_ERROR"] == "0"
    assert environment["WANDB_RUN_GROUP"] == sweep.name


def test_a_further_task_of_srun_trains_and_writes_no_outcome(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = {"PROCID": 1, "LOCALID": 0, "NODEID": 1, "STEP_NUM_TASKS": 2, "STEP_NUM_NODES": 2}
    for name, value in task.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    (sweep / "bad").mkdir()
    with Lock(sweep / "bad" / ".lock", FORWARDER.wait):  # of the first task
        Share(sweep / "bad", ["bad"], steps=10, gpus=0).run()
    environment = json.loads((sweep / "bad" / "environment.json").read_text())
    assert environment["SLURM_PROCID"] == "1"
    assert "give a number" in (sweep / "bad" / "log_1.txt").read_text()
    assert not {"job.json", "log.txt"} & {path.name for path in (sweep / "bad").iterdir()}
    made(sweep, "pruned").run()
    (sweep / "pruned" / "ran").unlink()
    Share(sweep / "pruned", ["pruned"], steps=10, gpus=0).run()
    assert not (sweep / "pruned" / "ran").exists()  # it has ended


@pytest.mark.parametrize(
    ("launcher", "node", "words"),
    [
        ({}, {"num_nodes": 2}, "num_nodes=2: this sweep starts its jobs on one machine"),
        ({"nodes": 2}, {"num_nodes": 1}, "launcher.nodes=2: .* give accelerator.num_nodes=2"),
        ({"nodes": 1, "tasks_per_node": 2}, {"devices": "auto"}, "tasks_per_node=2: .*=auto"),
        ({"nodes": 1, "tasks_per_node": 2}, {"devices": 4}, "tasks_per_node=2: .*devices=4"),
        ({"nodes": 2, "tasks_per_node": 4}, {"devices": 4, "num_nodes": 2}, None),
        ({"nodes": 2, "tasks_per_node": 1}, {"devices": 4, "num_nodes": 2}, None),
        ({}, {"devices": 4}, None),
    ],
)
def test_machines_that_a_job_does_not_use_are_refused(
    launcher: dict[str, Any], node: dict[str, Any], words: str | None
) -> None:
    given = OmegaConf.create(launcher), OmegaConf.create({"devices": 1, **node})
    with nullcontext() if words is None else pytest.raises(InputError, match=words):
        _check_machines(*given)


def told(job: Job, *numbers: signal.Signals) -> None:
    """Tell this process to stop once the job waits."""

    def tell() -> None:
        while not (job.folder / "waits").exists():
            time.sleep(0.02)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    threading.Thread(target=tell, daemon=True).start()


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGUSR2, 75), (signal.SIGINT, 130)],
)
def test_what_the_sweep_is_told_the_job_is_told(
    sweep: Path, number: signal.Signals, status: int
) -> None:
    heard: list[int] = []
    before = signal.signal(number, lambda n, _: heard.append(n))
    try:
        FORWARDER.install()
        job = made(sweep, "wait")
        told(job, number, number)  # the terminal and the sweep say it twice
        start = time.monotonic()
        outcome = job.run()
        assert time.monotonic() - start < 10
        assert outcome.status == (0 if number == signal.SIGINT else 75)
        given = signal.SIGINT if number == signal.SIGINT else signal.SIGUSR1
        assert json.loads((job.folder / "heard.json").read_text()) == [given]
        with pytest.raises(SystemExit) as left:
            FORWARDER.exit_if_received()
        assert left.value.code == status
        assert heard == ([] if number == signal.SIGINT else [number])  # who listened before
    finally:
        FORWARDER.restore()
        signal.signal(number, before)


def test_workers_are_told_what_the_sweep_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    workers = [SimpleNamespace(pid=11), SimpleNamespace(pid=12)]
    monkeypatch.setattr(multiprocessing, "active_children", lambda: workers)
    monkeypatch.setattr(os, "kill", lambda *given: told.append(given))
    forwarder = SignalForwarder()
    forwarder._handle(signal.SIGTERM, None)
    forwarder._handle(signal.SIGTERM, None)  # within a second
    assert told == [(11, signal.SIGTERM), (12, signal.SIGTERM)]
    assert (forwarder.received, forwarder.status) == (signal.SIGTERM, 75)


def test_a_job_of_a_sweep_listens_to_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bool] = []

    def listen() -> Outcome:
        heard.append(bool(FORWARDER._handlers))
        return Outcome(score=2.0)

    monkeypatch.setattr(Job, "of", lambda config: SimpleNamespace(run=listen))
    try:
        assert jobs.run(OmegaConf.create()) == 2.0
    finally:
        FORWARDER.restore()
    assert heard == [True]


def test_a_lock_lies_in_a_folder_that_it_makes(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / ".lock"
    with Lock(path, FORWARDER.wait), Lock(tmp_path / "a" / "b" / "other", FORWARDER.wait):
        other = Lock(path, FORWARDER.wait)
        assert not other.acquire()
        other.close()
    assert path.exists()


def test_the_reason_is_of_this_attempt(sweep: Path) -> None:
    job = made(sweep, "crash")
    (job.folder / "log.txt").write_text("ganymede: what went wrong before\n")
    assert job.run().reason == "killed by SIGKILL"
    job = made(sweep, "raise")
    (job.folder / "log.txt").write_text("ganymede: what went wrong before\n")
    assert job.run().reason == "KeyError: 'a fault'"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ("seed=1&loss=hinge", "loss-hinge+seed-1"),
        ("++prior.dim=8&lr=1e-4", "lr-1e-4+prior.dim-8"),
        ("", "defaults"),
    ],
)
def test_a_folder_is_named_by_its_overrides(overrides: str, name: str) -> None:
    assert job_folder(overrides) == name


def test_names_of_folders_are_safe_and_apart() -> None:
    given = ["a=[1,2]", "a=[12]", "a=[1, 2]", "a='x y'", "a=x/y", "a=../..", "a=x:y"]
    given += [f"{'k' * 300}={end}" for end in "xy"]
    names = [job_folder(overrides) for overrides in given]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) < 200
        assert not set(name) & set("/[]{}(),='\" :*?")


def test_pruned_is_where_the_callback_says() -> None:
    assert PRUNED in STAND_IN
