"""Runs that are killed, preempted or interrupted lose nothing."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.configs import ROOT

STEPS = 240
MOMENTS = int(os.environ.get("GANYMEDE_KILLS", "4"))
RUN = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]", "data=digits"]
RUN += ["batch_size=8", "accelerator=cpu", f"steps={STEPS}", "callbacks.checkpoints.every=7"]
RUN += ["callbacks.telemetry.every=1", "callbacks.samples.every=50", "resume=auto", "loss=wgan_gp"]
RUN += ["regularizers=[gradient_penalty,lecam]", "schedule=linear", "backbone=domain"]
RUN += [
    "evaluation.every=20",
    "evaluation.num_fakes=40",
    "evaluation.min_fakes=2",
    "metrics=[fid,is]",
]
RUN += ["backbone.training._target_=gan.backbones.classifier.Training"]
RUN += ["backbone.training.rounds=[25]"]


def start(run: Path, *given: str) -> subprocess.Popen[str]:
    """Start training in a process of its own."""
    command = [sys.executable, "train.py", *RUN, *given, f"hydra.run.dir={run}"]
    command.append(f"cache_dir={run.parent / 'cache'}")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(run: Path, *given: str) -> str:
    process = start(run, *given)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def wait_for(process: subprocess.Popen[str], path: Path, least: int = 0) -> None:
    """Wait until there is a file of more bytes than ``least``."""
    deadline = time.monotonic() + 120
    while not path.exists() or path.stat().st_size <= least:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def written(run: Path) -> int:
    """Return when the last checkpoint was written."""
    path = run / "checkpoints" / "last.ckpt"
    return path.stat().st_mtime_ns if path.exists() else 0


def wait_for_checkpoints(process: subprocess.Popen[str], run: Path, count: int) -> None:
    """Wait until training has begun and written some more checkpoints, or has ended."""
    wait_for(process, run / ".hydra" / "config.yaml")
    seen = written(run)
    while count and process.poll() is None:
        time.sleep(0.005)
        now = written(run)
        count -= now not in (0, seen)
        seen = now or seen


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in found]


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Return every value of a checkpoint with its place."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = dict(enumerate(value)).items()
    else:
        return {path: value}
    return {k: v for key, inner in items for k, v in leaves(inner, f"{path}/{key}").items()}


def differences(one: Path, other: Path) -> list[str]:
    """Return the places in which two last checkpoints differ."""
    first, second = (
        leaves(torch.load(run / "checkpoints/last.ckpt", weights_only=True)) for run in (one, other)
    )
    places = {key for key in first.keys() | second.keys() if not key.startswith("/loops")}
    return sorted(key for key in places if not same(first.get(key), second.get(key)))


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal bit for bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return bool(one == other)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an uninterrupted run."""
    run = tmp_path_factory.mktemp("survival") / "whole"
    finished(run)
    return run


@pytest.mark.slow
def test_a_run_killed_again_and_again_equals_an_uninterrupted_one(whole: Path) -> None:
    run = whole.parent / "killed"
    chance = random.Random(0)
    for _ in range(MOMENTS):
        process = start(run)
        wait_for_checkpoints(process, run, chance.choice([0, 1, 2]))
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
    finished(run)
    assert differences(whole, run) == []
    assert rows(run) == rows(whole)
    for name in ("final", "best"):
        assert (
            json.loads((run / "results.json").read_text())[name]
            == json.loads((whole / "results.json").read_text())[name]
        )
    pictures = {p.name: p.read_bytes() for p in (whole / "samples").iterdir()}
    assert {p.name: p.read_bytes() for p in (run / "samples").iterdir()} == pictures


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_preemption_leaves_a_checkpoint_and_asks_to_be_queued_again(
    whole: Path, number: signal.Signals
) -> None:
    run = whole.parent / number.name
    process = start(run, "callbacks.checkpoints.every=100")
    wait_for(process, run / "metrics.csv", least=10)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert "stopped by a signal after step" in out
    step = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["clock"]["step"]
    assert 0 < step < STEPS
    finished(run, "callbacks.checkpoints.every=100")
    assert differences(whole, run) == []
    assert rows(run) == rows(whole)


@pytest.mark.slow
def test_ctrl_c_ends_tidily(whole: Path) -> None:
    run = whole.parent / "interrupted"
    process = start(run, "callbacks.checkpoints.every=100")
    wait_for(process, run / "metrics.csv", least=10)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    step = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["clock"]["step"]
    assert 0 < step < STEPS
    assert (run / "samples" / f"step_{step:08d}.png").is_file()
    assert json.loads((run / "results.json").read_text())["steps"] == step
    assert f"{step} steps" in out
    finished(run, "callbacks.checkpoints.every=100")
    assert differences(whole, run) == []


@pytest.mark.slow
def test_two_processes_that_were_preempted_equal_two_that_were_not(tmp_path: Path) -> None:
    two = ["accelerator=ddp_cpu", "regularizers=[dragan,lecam]"]
    finished(tmp_path / "whole", *two)
    process = start(tmp_path / "run", *two)
    wait_for(process, tmp_path / "run" / "metrics.csv", least=10)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75
    finished(tmp_path / "run", *two)
    assert differences(tmp_path / "whole", tmp_path / "run") == []
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


@pytest.mark.slow
def test_processes_started_by_torchrun_share_one_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["train.py", *RUN, "accelerator=ddp_cpu", "steps=20", "resume=null"]
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    command += ["hydra.run.dir=" + str(tmp_path / "${began:%H-%M-%S}-${unique:}")]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "results.json").read_text())["steps"] == 20
