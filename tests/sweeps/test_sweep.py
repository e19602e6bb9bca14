"""Whole sweeps, each job a process."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from gan.runs.results import Results
from gan.sweeps.job import Outcome, State
from tests.configs import ROOT
from tests.loggers.test_wandb import Offline
from tests.sweeps.test_tpe import trials

pytestmark = pytest.mark.slow

RING = ["experiment=ring", "accelerator=cpu", "batch_size=8", "evaluation.every=50"]
RING += ["evaluation.num_fakes=50", "evaluation.min_fakes=2", "callbacks.checkpoints.every=20"]
LR = "optimizer.generator.lr"
TINY = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]", "data=digits"]
TINY += ["batch_size=8", "metrics=[]", "steps=3"]


@contextmanager
def started(sweep: Path, *given: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a sweep in a session of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
    process = subprocess.Popen(
        [sys.executable, "train.py", "-m", *given, f"hydra.sweep.dir={sweep}"],
        cwd=ROOT,
        env={**environment, "WANDB_MODE": "offline", "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(sweep: Path, *given: str, status: int = 0) -> str:
    """Run a sweep to its end and return what it says."""
    with started(sweep, *given) as process:
        out, _ = process.communicate(timeout=600)
    print(out)
    assert process.returncode == status, out
    return out


def job(sweep: Path, setting: str) -> Path | None:
    """Return the folder of the job with this setting, if it has begun."""
    outcomes = {path.parent: Outcome.read(path.parent) for path in sweep.glob("*/job.json")}
    found = [p for p, o in outcomes.items() if o and any(setting in each for each in o.overrides)]
    return found[0] if found else None


def trained(sweep: Path, setting: str, process: "subprocess.Popen[str]") -> Path:
    """Return the folder of a job once it has written a checkpoint."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        folder = job(sweep, setting)
        if folder is not None and (folder / "checkpoints" / "last.ckpt").exists():
            return folder
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError(f"{setting} never trained")


def process_of(folder: Path) -> int:
    """Return the number of the process that trains in a folder."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if f"hydra.run.dir={folder}" in path.read_bytes().decode().split("\0"):
            return int(path.parent.name)
    raise AssertionError(f"nothing trains in {folder}")


def table(sweep: Path, key: str) -> dict[str, dict[str, str]]:
    """Return the rows of the leaderboard by a setting."""
    with (sweep / "leaderboard.csv").open(newline="") as file:
        return {row[key]: row for row in csv.DictReader(file)}


def test_failures_are_told_and_stop_nothing(tmp_path: Path) -> None:
    given = ["sweep=parallel", "hydra.launcher.n_jobs=2", *RING, "steps=300"]
    given.append(f"{LR}=1e-3,2e-3,3e-3,4e-3,1e30,-1")
    with started(tmp_path, *given) as process:
        killed = trained(tmp_path, f"{LR}=0.003", process)
        os.kill(process_of(killed), signal.SIGKILL)
        out, _ = process.communicate(timeout=600)
    print(out)
    assert process.returncode == 1
    states = {k: (row["state"], row["reason"]) for k, row in table(tmp_path, LR).items()}
    assert {k: v for k, v in states.items() if v[0] == "finished"}.keys() == {
        *("0.001", "0.002", "0.004")
    }
    assert states["0.003"] == ("failed", "killed by SIGKILL")
    assert states["1e+30"][0] == "diverged"
    assert f"lower {LR}" in states["1e+30"][1]
    assert states["-1"][0] == "failed"
    assert "optimizer.generator: Invalid learning rate: -1" in states["-1"][1]
    assert all(reason in out for _, reason in states.values())
    ran = {p.parent.name: p.stat().st_mtime_ns for p in tmp_path.glob("*/log.txt")}
    settings = {p: p.read_bytes() for p in tmp_path.glob("*/.hydra/*.yaml")}
    again = run(tmp_path, *given, status=1)
    assert f"{killed}: finished" in again
    later = {p.parent.name: p.stat().st_mtime_ns for p in tmp_path.glob("*/log.txt")}
    bad = job(tmp_path, f"{LR}=-1")
    assert bad is not None
    assert {name for name in ran if ran[name] != later[name]} == {killed.name, bad.name}
    assert table(tmp_path, LR)["0.003"]["state"] == "finished"
    kept = {p: c for p, c in settings.items() if killed not in p.parents}
    assert kept == {p: p.read_bytes() for p in kept}


@pytest.mark.parametrize(
    ("launcher", "number", "status"),
    [
        (["hydra/launcher=basic"], signal.SIGINT, 130),
        (["hydra/launcher=basic"], signal.SIGTERM, 75),
        (["sweep=parallel", "hydra.launcher.n_jobs=2"], signal.SIGINT, 130),
        (["sweep=parallel", "hydra.launcher.n_jobs=2"], signal.SIGTERM, 75),
    ],
)
def test_a_sweep_that_is_stopped_goes_on(
    tmp_path: Path, launcher: list[str], number: signal.Signals, status: int
) -> None:
    given = [*launcher, *RING, "steps=500", "seed=0,1,2"]
    with started(tmp_path, *given) as process:
        folder = trained(tmp_path, "seed=", process)
        os.killpg(process.pid, number)  # as a terminal does
        out, _ = process.communicate(timeout=60)
    print(out)
    assert process.returncode == status
    stopped = Outcome.read(folder)
    assert stopped is not None
    assert stopped.state == State.PREEMPTED
    step = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["clock"]["step"]
    assert 0 < step < 500
    rows = table(tmp_path, "seed")
    assert 1 <= len(rows) <= 2
    assert {row["state"] for row in rows.values()} == {"preempted"}
    assert "written: " in out
    assert (Results.read(folder) is not None) == (number == signal.SIGINT)  # a tidy end
    time.sleep(1)
    again = run(tmp_path, *given)
    assert {row["state"] for row in table(tmp_path, "seed").values()} == {"finished"}
    assert len(table(tmp_path, "seed")) == 3
    assert f"{folder}: finished" in again


def test_jobs_of_several_processes_run_side_by_side(tmp_path: Path) -> None:
    given = ["sweep=parallel", "hydra.launcher.n_jobs=2", *TINY, "accelerator=ddp_cpu"]
    run(tmp_path, *given, "seed=0,1")
    folders = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(folders) == 2
    for folder in folders:
        found = Results.read(folder)
        assert found is not None
        assert (found.steps, found.images) == (3, 24)


def test_jobs_of_a_sweep_are_one_group_on_wandb(tmp_path: Path) -> None:
    run(tmp_path / "mine", *TINY, "accelerator=cpu", "logger=wandb", "seed=0,1")
    files = list(tmp_path.glob("mine/*/wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    assert all(Offline(file.parent).of("run")[0].run_group == "mine" for file in files)


def test_a_search_ends_bad_trials_and_goes_on(tmp_path: Path) -> None:
    given = ["hydra/sweeper=tpe", *RING, "steps=400", f"{LR}=choice(4e-3,1e-9)"]
    given += ["hydra.sweeper.pruner.n_startup_trials=1", "hydra.sweeper.seed=4"]
    run(tmp_path, *given, "hydra.sweeper.n_trials=2")
    assert [trial.state.name for trial in trials(tmp_path)] == ["COMPLETE", "PRUNED"]
    board = table(tmp_path, LR)
    assert board["0.004"]["state"] == "finished"
    assert board["1e-09"]["state"] == "pruned"
    assert "behind the other trials" in board["1e-09"]["reason"]
    pruned = job(tmp_path, "1e-09")
    assert pruned is not None
    found = Results.read(pruned)
    assert found is not None
    assert 0 < found.steps < 400
    assert (pruned / "samples" / f"step_{found.steps:08d}.png").exists()
    run(tmp_path, *given, "hydra.sweeper.n_trials=3")
    assert len(trials(tmp_path)) == 3
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2  # the same settings
