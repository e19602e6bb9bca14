"""A sweep on a real SLURM of one node: preempted jobs resume exactly, two tasks equal one run."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.configs import ROOT
from tests.runs.test_survival import RUN, differences, finished, rows
from tests.slurm.cluster import Cluster, cluster, missing

LONG = ["steps=1500", "callbacks.checkpoints.every=5000"]
KEPT = [o for o in RUN if not o.startswith(("steps=", "resume=", "callbacks.checkpoints"))]

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(missing() is not None, reason=missing() or ""),
]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    """Return a cluster; its folder is short enough for the path of a socket."""
    kept = tempfile.TemporaryDirectory(prefix="slurm", ignore_cleanup_errors=True)
    with kept as name, cluster(Path(name)) as made:
        yield made


def await_(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait until something is so while the sweep runs."""
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.3)


def jobs(sweep: Path) -> dict[str, Path]:
    """Return the folder of each job that has begun, by its seed."""
    found = {path.parent: json.loads(path.read_text()) for path in sweep.glob("*/job.json")}
    seeds = {path: next(o for o in job["overrides"] if "seed=" in o) for path, job in found.items()}
    return {seed.removeprefix("seed="): path for path, seed in seeds.items()}


def state(folder: Path) -> str:
    return str(json.loads((folder / "job.json").read_text())["state"])


def start(cluster: Cluster, sweep: Path) -> "subprocess.Popen[str]":
    """Start a sweep of four jobs."""
    command = [sys.executable, "train.py", "-m", "sweep=slurm", *KEPT, *LONG, "seed=0,1,2,3"]
    command += ["hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=2"]
    command += [f"cache_dir={sweep.parent / 'cache'}", f"hydra.sweep.dir={sweep}"]
    environment = {**cluster.environment, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def requeue(slurm: Cluster, task: int) -> None:
    """Preempt a task as a scheduler does that needs its place."""
    running = dict(line.split() for line in slurm.ask("squeue", "-h", "-o", "%K %A").splitlines())
    slurm.ask("scontrol", "requeue", running[str(task)])


def notice(slurm: Cluster, task: int) -> None:
    """Signal all processes of a task, as a scheduler does before its time is out."""
    marks = {f"SLURM_ARRAY_TASK_ID={task}".encode(), f"SLURM_CONF={slurm.conf}".encode()}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone meanwhile
            words = set((path / "environ").read_bytes().split(b"\0"))
            if marks <= words and any(word.startswith(b"SLURM_STEP_ID=") for word in words):
                children = (path / "task" / path.name / "children").read_text().split()
                for number in (path.name, *children):
                    os.kill(int(number), signal.SIGUSR2)


@pytest.mark.parametrize("preempt", [requeue, notice])
def test_a_preempted_job_goes_on_exactly(
    slurm: Cluster,
    tmp_path: Path,
    preempt: Callable[[Cluster, int], None],
    request: pytest.FixtureRequest,
) -> None:
    whole, sweep = tmp_path / "whole", tmp_path / "sweep"
    finished(whole, *LONG, "seed=1")
    process = start(slurm, sweep)
    request.addfinalizer(process.kill)
    await_(lambda: "1" in jobs(sweep), process)
    folder = jobs(sweep)["1"]
    await_(lambda: (folder / "metrics.csv").exists() and len(rows(folder)) > 5, process)
    print(slurm.ask("squeue"))
    preempt(slurm, 1)
    await_(lambda: state(folder) == "preempted", process)
    print(slurm.ask("squeue"))
    out, _ = process.communicate(timeout=600)
    print(
        *(line for line in out.splitlines() if "ccount" not in line and "sacct" not in line),
        sep="\n",
    )
    assert process.returncode == 0
    restarts = re.findall(
        r"ArrayTaskId=1 .*?Restarts=(\d)", slurm.ask("scontrol", "show", "job"), re.S
    )
    assert restarts[-1] == "1"
    said = re.findall(r"stopped by a signal after step \d+", (folder / "log.txt").read_text())
    print(*said)
    assert len(said) == 1
    assert differences(whole, folder) == []
    assert rows(folder) == rows(whole)
    with (sweep / "leaderboard.csv").open(newline="") as file:
        board = {row["seed"]: row["state"] for row in csv.DictReader(file)}
    assert board == dict.fromkeys("0123", "finished")


PAIR = [
    "experiment=mlp_2014",
    "model.generator.hidden=[16]",
    "model.discriminator.units=[8]",
    "metrics=[]",
]
PAIR += ["data=digits", "batch_size=8", "steps=6", "model.discriminator.dropout=0", "seed=3"]
TASKS = ["hydra.launcher.tasks_per_node=2", "hydra.launcher.cpus_per_task=1"]
TASKS += ["hydra.launcher.mem_gb=2"]


def ran(slurm: Cluster, *command: str) -> None:
    """Run a command where the cluster is."""
    environment = {**slurm.environment, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=600)


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints" / "last.ckpt")["state_dict"]
    return state


def test_two_tasks_equal_one_process(slurm: Cluster, tmp_path: Path) -> None:
    train = [sys.executable, "train.py"]
    ran(slurm, *train, *PAIR, "accelerator=cpu", f"hydra.run.dir={tmp_path}/one")
    srun = ["srun", "-n", "2", *train, *PAIR, "accelerator=ddp_cpu"]
    ran(slurm, *srun, f"hydra.run.dir={tmp_path}/srun")
    sweep = [*train, "-m", "sweep=slurm", *PAIR, "accelerator=ddp_cpu", *TASKS]
    ran(slurm, *sweep, f"hydra.sweep.dir={tmp_path}/sweep")
    (job,) = (path.parent for path in (tmp_path / "sweep").glob("*/job.json"))
    print(*sorted(str(path.relative_to(tmp_path)) for path in job.rglob("*")), sep="\n")
    assert state(job) == "finished"
    assert "2 processes" in (job / "log.txt").read_text()
    one, by_srun, by_sweep = map(weights, (tmp_path / "one", tmp_path / "srun", job))
    assert all(torch.equal(by_sweep[name], by_srun[name]) for name in one)
    largest = max(float((one[k].float() - by_sweep[k].float()).abs().max()) for k in one)
    print(f"largest difference of a weight from one process: {largest:.1e}")
    assert largest < 1e-6
    table = (tmp_path / "one" / "metrics.csv").read_text()
    for run in (tmp_path / "srun", job):  # one writer
        assert (run / "metrics.csv").read_text().count("\n") == table.count("\n")
