"""Parts of a job: its command, its devices, its environment, and what is said of its end."""

import math
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.errors import InputError
from gan.sweeps import job as jobs
from gan.sweeps.job import Job, Outcome, Share, State
from gan.sweeps.pool import Allocation, Pool
from gan.sweeps.signals import FORWARDER, StopError
from gan.tasks import Task
from tests.calls import noting
from tests.sweeps.launching import fid, results

TASK = Task(number=1, local=0, node=1, count=2, nodes=2)


def made(folder: Path, **given: Any) -> Job:
    return Job(folder, ["seed=1", "loss=hinge"], **{"steps": 10, "gpus": 0, **given})


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no signal have been received, and no task of SLURM be there."""
    monkeypatch.setattr(FORWARDER, "received", None)
    monkeypatch.setattr(jobs, "current_task", lambda: None)


def test_the_command_starts_or_resumes_the_run(tmp_path: Path) -> None:
    job = made(tmp_path, flags=["--config-name=own"])
    start = [sys.executable, str(jobs.MAIN), "train", "--config-name=own"]
    end = [f"hydra.run.dir={tmp_path}", "resume=auto"]
    assert job.command == [*start, "seed=1", "loss=hinge", *end]
    assert (jobs.MAIN.name, jobs.MAIN.is_file()) == ("__main__.py", True)


def hydra(*places: str, name: str = "train", **sources: str) -> Any:
    """Return the node ``hydra`` of a job."""
    found = [{"provider": kind.replace("_", "-"), "path": path} for kind, path in sources.items()]
    runtime = {"output_dir": "out", "config_sources": found}
    content = {"runtime": runtime, "job": {"config_name": name}, "searchpath": [*places]}
    return OmegaConf.create({**content, "overrides": {"task": ["seed=1", "+a=b"]}})


def test_a_job_is_what_hydra_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    node = hydra(command_line="/conf", main="/other")
    monkeypatch.setattr("gan.sweeps.job.HydraConfig.get", lambda: node)
    job = Job.of(OmegaConf.create({"steps": 7, "accelerator": {"accelerator": "cpu"}}))
    assert (job.folder, job.overrides, job.steps, job.gpus) == (
        Path("out"),
        ["seed=1", "+a=b"],
        7,
        0,
    )
    assert all(type(override) is str for override in job.overrides)
    assert job.flags == ["--config-dir=/conf"]


@pytest.mark.parametrize(
    ("node", "flags"),
    [
        (hydra(), []),
        (hydra(main="/conf"), []),
        (hydra(name="own"), ["--config-name=own"]),
        (hydra("file://a", "pkg://b"), ["hydra.searchpath=['file://a','pkg://b']"]),
        (
            hydra("file://a", name="own", command_line="/c"),
            ["--config-dir=/c", "--config-name=own", "hydra.searchpath=['file://a']"],
        ),
    ],
)
def test_another_process_is_told_where_the_configs_are(node: Any, flags: list[str]) -> None:
    assert jobs._config_flags(node) == flags


@pytest.mark.parametrize(
    ("devices", "gpus", "task", "count"),
    [
        ([], None, None, 0),
        ([], 2, None, 0),
        (["0", "1", "2"], None, None, 3),
        (["0", "1", "2"], 2, None, 2),
        (["0", "1", "2"], 0, None, 0),
        (["0", "1"], 2, TASK, 2),
        (["0", "1"], 2, Task(number=1, local=1, node=0, count=4, nodes=2), 0),
    ],
)
def test_devices_that_are_allocated(
    devices: list[str],
    gpus: int | None,
    task: Task | None,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked: list[Any] = []

    def allocate(self: Pool, number: int) -> Any:
        asked.append((self.devices, self.folder, self.pause, number))
        return nullcontext(Allocation())

    monkeypatch.setattr(jobs, "visible_gpus", lambda: devices)
    monkeypatch.setattr(jobs, "current_task", lambda: task)
    monkeypatch.setattr(jobs, "lock_folder", lambda: tmp_path)
    monkeypatch.setattr(Pool, "allocate", allocate)
    with made(tmp_path, gpus=gpus)._devices():
        pass
    assert asked == [(devices, tmp_path, FORWARDER.wait, count)]


LAUNCHERS: tuple[str, ...] = (
    "SLURM_JOB_ID",
    "SRUN_DEBUG",
    "PMI_RANK",
    "TORCHELASTIC_RUN_ID",
    "MASTER_ADDR",
    "RANK",
)
LAUNCHERS += ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "PL_GLOBAL_SEED")
LAUNCHERS += ("WANDB_RUN_ID", "WANDB_NAME", "WANDB_RESUME")
OTHERS = ("RANKING", "WORLD_SIZES", "WANDB_NAMES", "MY_RANK", "WANDB_PROJECT", "HOME")


@pytest.mark.parametrize("task", [None, TASK])
def test_the_environment_of_a_run(
    task: Task | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*LAUNCHERS, *OTHERS, "HYDRA_FULL_ERROR", "PYTHONUNBUFFERED"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("WANDB_RUN_GROUP", raising=False)
    monkeypatch.setattr(jobs, "current_task", lambda: task)
    job = made(tmp_path / "job")
    found = job._environment()
    kept = set() if task is None else {"SLURM_JOB_ID", "MASTER_ADDR"}
    assert {name for name in LAUNCHERS if name in found} == kept
    assert {name for name in OTHERS if name in found} == {*OTHERS}
    assert (found["HYDRA_FULL_ERROR"], found["PYTHONUNBUFFERED"]) == ("0", "1")
    assert found["WANDB_RUN_GROUP"] == tmp_path.name
    monkeypatch.setenv("WANDB_RUN_GROUP", "mine")
    assert job._environment()["WANDB_RUN_GROUP"] == "mine"


@pytest.mark.parametrize(
    ("status", "received", "error", "state", "reason"),
    [
        (1, None, "KeyError", State.FAILED, "KeyError"),
        (1, None, "", State.FAILED, "exit status 1"),
        (1, 15, "KeyError", State.FAILED, "KeyError"),
        (2, None, "steps=0", State.FAILED, "steps=0"),
        (3, None, "not finite", State.DIVERGED, "not finite"),
        (75, None, "x", State.PREEMPTED, "stopped by a signal"),
        (-15, 15, "x", State.PREEMPTED, "stopped by a signal"),
        (-15, None, "x", State.FAILED, "killed by SIGTERM"),
        (0, None, "x", State.FAILED, "left no results.json"),
        (None, None, "x", State.FAILED, "left no results.json"),
    ],
)
def test_what_becomes_of_a_status(
    status: int | None,
    received: int | None,
    error: str,
    state: State,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FORWARDER, "received", received)
    found = made(tmp_path)._after_exit(Outcome(status=status, seconds=3.0), error)
    assert (found.state, found.reason, found.status, found.seconds) == (state, reason, status, 3.0)


@pytest.mark.parametrize(
    ("given", "state", "reason", "score"),
    [
        ({}, State.FINISHED, None, 5.0),
        ({"steps": 12}, State.FINISHED, None, 5.0),
        ({"steps": 4, "stopped": "no better"}, State.FINISHED, None, 5.0),
        ({"steps": 4}, State.PREEMPTED, "stopped at step 4 of 10", 5.0),
        ({"monitor": None}, State.FINISHED, None, None),
        (fid(math.inf), State.DIVERGED, "best domain/fid is inf", None),
    ],
)
def test_what_becomes_of_results(
    given: dict[str, Any], state: State, reason: str | None, score: float | None, tmp_path: Path
) -> None:
    results(tmp_path, **given).save()
    found = made(tmp_path)._after_success(Outcome(status=0))
    assert (found.state, found.reason, found.score) == (state, reason, score)
    if state == State.PREEMPTED:
        (tmp_path / "pruned.txt").write_text("behind\n")
        found = made(tmp_path)._after_success(Outcome())
        assert (found.state, found.reason) == (State.PRUNED, "behind")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("steps", [None, 4, 10])
def test_jobs_that_are_not_run_again(state: State, steps: int | None, tmp_path: Path) -> None:
    Outcome(state, seconds=7.0, overrides=["a=b"]).save(tmp_path)
    if steps is not None:
        results(tmp_path, steps=steps, seconds_total=9.0).save()
    found = made(tmp_path)._final_outcome()
    if state in (State.PRUNED, State.DIVERGED) or (steps == 10 and state == State.FINISHED):
        assert found == Outcome.read(tmp_path)
    elif steps == 10:
        assert found == Outcome(State.FINISHED, None, 0, 9.0, ["seed=1", "loss=hinge"], 5.0)
    else:
        assert found is None


def test_a_job_that_never_ran_is_run(tmp_path: Path) -> None:
    assert made(tmp_path)._final_outcome() is None
    assert Outcome.read(tmp_path) is None
    (tmp_path / "job.json").write_text("{}")
    assert Outcome.read(tmp_path) == Outcome()


@pytest.mark.parametrize(
    ("outcome", "line", "fails"),
    [
        (Outcome(State.FINISHED, seconds=2.6, score=1.23456), "finished after 3 s, score 1.235", 0),
        (Outcome(State.PRUNED, "behind", seconds=2.0), "pruned after 2 s: behind", 0),
        (Outcome(State.FAILED, "x", 1, 0.2), "failed after 0 s: x", 1),
        (Outcome(State.DIVERGED, "x", 3, 0.2, score=0.0), "diverged after 0 s, score 0: x", 1),
    ],
)
def test_an_outcome_is_printed(
    outcome: Outcome, line: str, fails: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path)._print(outcome)
    assert capsys.readouterr()[fails] == f"{tmp_path}: {line}\n"


@pytest.mark.parametrize(
    ("text", "start", "error"),
    [
        ("a\nb\n", 0, "b"),
        ("a\rb\r", 0, "b"),
        ("KeyError: 'a'\nmore\n", 0, "KeyError: 'a'"),
        ("torch.OutOfMemoryError: x\nValueError: y\nend", 0, "ValueError: y"),
        ("KeyboardInterrupt\nend", 0, "KeyboardInterrupt"),
        ("NotAnErrorAtAll: a\nend", 0, "end"),
        ("in KeyError: x\nend", 0, "end"),
        ("ganymede: first\nganymede: why\nValueError: z\nend", 0, "why"),
        ("ganymede: before\nnow\n", 17, "now"),
        ("ganymede: before\n" + "x" * 70000 + "\nlast", 0, "last"),
        ("ganymede: why\n" + "x" * 60000 + "\nlast", 0, "why"),
        ("ganymede: é\xff", 0, "é\xff"),
        ("", 0, ""),
    ],
)
def test_the_reason_in_a_log(text: str, start: int, error: str, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(text)
    assert jobs._last_error(tmp_path / "log.txt", start) == error


def test_a_log_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"ganymede: a\xff")
    assert jobs._last_error(tmp_path / "log.txt", 0) == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("error", [InputError("4 GPUs"), OSError("no file")])
def test_a_job_that_cannot_start_has_failed(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Job) -> Any:
        raise error

    monkeypatch.setattr(Job, "_devices", fail)
    Outcome(seconds=4.0).save(tmp_path)
    expected = Outcome(State.FAILED, str(error), None, 4.0, ["seed=1", "loss=hinge"])
    assert made(tmp_path).run() == expected == Outcome.read(tmp_path)


def test_a_job_is_running_while_its_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Outcome | None] = []

    def process(self: Job, log: Path, *given: Any) -> int:
        seen.append(Outcome.read(self.folder))
        log.write_text("ganymede: why\n")
        return 2

    monkeypatch.setattr(Job, "_run_process", process)
    job = made(tmp_path)
    found = job.run()
    assert seen == [Outcome(State.RUNNING, overrides=job.overrides)]
    assert (found.state, found.reason, found.status) == (State.FAILED, "why", 2)


def test_a_process_runs_with_its_devices_and_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(FORWARDER, "run", noting(called, 5))
    job = made(tmp_path)
    allocation = Allocation(["2", "3"], [8, 9])
    assert job._run_process(tmp_path / "log", allocation, [7]) == 5
    assert job._run_process(tmp_path / "log", allocation) == 5
    ((command, environment, log, held), (*_, fewer)) = called
    assert (command, log, held, fewer) == (job.command, tmp_path / "log", [7, 8, 9], [8, 9])
    assert environment == {**job._environment(), "CUDA_VISIBLE_DEVICES": "2,3"}


@pytest.mark.parametrize(("number", "kind"), [(None, Job), (0, Job), (1, Share)])
def test_further_tasks_run_a_share(
    number: int | None, kind: type[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = None if number is None else Task(number, 0, number, 2, 2)
    made_by: list[type[Job]] = []

    def of(cls: type[Job], config: Any) -> Any:
        made_by.append(cls)
        return SimpleNamespace(run=lambda: Outcome(score=None))

    monkeypatch.setattr(Job, "of", classmethod(of))
    monkeypatch.setattr(jobs, "current_task", lambda: task)
    try:
        assert math.isnan(jobs.run(OmegaConf.create()))
    finally:
        FORWARDER.restore()
    assert made_by == [kind]


@pytest.mark.parametrize("when", ["before", "while waiting"])
def test_a_job_that_is_told_to_stop_before_it_starts(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(config: Any) -> Any:
        if when == "before":
            raise AssertionError("it must not start")
        FORWARDER.received = 15
        raise StopError

    monkeypatch.setattr(Job, "of", of)
    monkeypatch.setattr(FORWARDER, "received", 15 if when == "before" else None)
    try:
        with pytest.raises(SystemExit) as left:
            jobs.run(OmegaConf.create())
    finally:
        FORWARDER.restore()
    assert left.value.code == 75
