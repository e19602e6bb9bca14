import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gan.commands import arguments
from gan.commands.main import guarded
from tests.configs import ROOT
from train import main

NARROW = ["model.generator.hidden=[16]", "model.discriminator.units=[8]"]
TINY = ["data=digits", "metrics=none", "batch_size=8", "accelerator=cpu"]


def shell(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, in the root folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that does in this process what ``train.py`` does."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # restored afterwards

    def call(*command: str) -> int:
        monkeypatch.setattr(sys, "argv", ["train.py", *command])
        try:
            guarded(lambda: arguments.prepared(main))
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return call


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def overrides(run: Path) -> list[str]:
    lines = (run / ".hydra" / "overrides.yaml").read_text().splitlines()
    return [line.removeprefix("- ").strip("'") for line in lines]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints" / "last.ckpt")["state_dict"]
    return state


def test_a_run_and_its_samples_from_the_shell(tmp_path: Path) -> None:
    run, grid = tmp_path / "run", tmp_path / "grids" / "five.png"
    trained = shell("train.py", *TINY, "model=mlp", "steps=2", f"hydra.run.dir={run}")
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.count(str(run)) >= 2
    assert "Traceback" not in trained.stderr
    assert {p.name for p in run.iterdir()} == {
        ".hydra",
        "checkpoints",
        "metrics.csv",
        "results.json",
        "samples",
    }
    drawn = shell("-m", "gan", "sample", f"run={run}", "n=5", f"out={grid}")
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.strip() == str(grid)
    with Image.open(grid) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
        assert picture.width > picture.height


def test_bad_input_is_one_line_in_the_shell(tmp_path: Path) -> None:
    run = tmp_path / "run"
    refused = shell("train.py", *TINY, "prior.dim=0", f"hydra.run.dir={run}")
    assert refused.returncode == 2
    assert refused.stderr == "ganymede: prior.dim=0: give a number from 1\n"


def test_a_sweep_gives_each_job_a_run_folder(cli: Any, tmp_path: Path) -> None:
    given = ["model=dcgan,mlp", "loss=hinge,non_saturating", "steps=1"]
    assert cli("-m", *TINY, *given, f"hydra.sweep.dir={tmp_path}") == 0
    runs = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(runs) == 4
    chosen = set()
    for run in runs:
        assert len(rows(run)) == 1
        results = json.loads((run / "results.json").read_text())
        assert (results["steps"], results["run"]) == (1, str(run))
        named = overrides(run)
        chosen.add(tuple(o for o in named if o.startswith(("model=", "loss="))))
        assert (run / "checkpoints" / "last.ckpt").is_file()
        assert all(o.replace("=", "=") in run.name for o in named if o.startswith("loss="))
    assert len(chosen) == 4


def test_a_failing_job_does_not_stop_the_others(
    cli: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["model=mlp", *NARROW, "steps=1", "prior.dim=0,8"]
    assert cli("-m", *TINY, *given, f"hydra.sweep.dir={tmp_path}") != 0
    finished = [path.parent.name for path in tmp_path.glob("*/results.json")]
    assert len(finished) == 1
    assert "prior.dim=8" in finished[0]
    assert "prior.dim=0: give a number from 1" in capsys.readouterr().err


def test_resuming_goes_on_with_the_settings_of_the_run(cli: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    given = ["model=mlp", *NARROW, "loss=hinge", "seed=7", "callbacks.telemetry.every=1"]
    assert cli(*TINY, *given, "steps=2", f"hydra.run.dir={run}") == 0
    before = rows(run)
    assert cli(f"resume={run}", "steps=4") == 0
    after = rows(run)
    assert after[:2] == before
    assert [row["step"] for row in after] == ["1", "2", "3", "4"]
    assert [row["images"] for row in after] == ["8", "16", "24", "32"]
    assert {"model=mlp", "loss=hinge", "++seed=7", "seed=7"} & set(overrides(run))
    results = json.loads((run / "results.json").read_text())
    assert (results["steps"], results["seed"]) == (4, 7)
    assert cli(f"resume={run}", "steps=5") == 0
    assert [row["step"] for row in rows(run)] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "again",
    [["hydra.run.dir={run}"], ["resume={run}"], ["resume={run}", "steps=2"], ["resume={run}.not"]],
)
def test_a_run_folder_is_not_overwritten(
    cli: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], again: list[str]
) -> None:
    run = tmp_path / "run"
    given = [*TINY, "model=mlp", *NARROW]
    assert cli(*given, "steps=2", f"hydra.run.dir={run}") == 0
    before = content(run)
    capsys.readouterr()
    assert cli(*given, *[part.format(run=run) for part in again]) == 2
    assert capsys.readouterr().err.startswith("ganymede: ")
    assert content(run) == before


def ddp(tmp_path: Path, *given: str) -> tuple[Path, Path]:
    """Return the folders of the same run on two processes and on one."""
    one, two = tmp_path / "one", tmp_path / "two"
    for run, accelerator in ((one, "cpu"), (two, "ddp_cpu")):
        ended = shell(
            "train.py",
            *TINY[:-1],
            *NARROW,
            *given,
            f"cache_dir={tmp_path / 'cache'}",
            f"accelerator={accelerator}",
            f"hydra.run.dir={run}",
        )
        assert ended.returncode == 0, ended.stderr
    return two, one


@pytest.mark.slow
@pytest.mark.parametrize("n_critic", [1, 2])
def test_two_processes_equal_one(tmp_path: Path, n_critic: int) -> None:
    still = ["model=mlp", "model.discriminator.dropout=0", "steps=3", f"n_critic={n_critic}"]
    recipe = "metrics.backbone.training"
    metrics = ["metrics=domain", "metrics.num_fakes=250", f"{recipe}.rounds=[5]"]
    metrics += [f"{recipe}._target_=gan.metrics.classifier.Training"]
    two, one = ddp(tmp_path, *still, *metrics)
    a, b = weights(two), weights(one)
    assert a.keys() == b.keys()
    assert max(float((a[key] - b[key]).abs().max()) for key in a) < 1e-5
    many, single = (json.loads((run / "results.json").read_text()) for run in (two, one))
    assert many["images"] == single["images"] == 24 * n_critic
    assert many["final"] == pytest.approx(single["final"], rel=1e-3)
    assert not list(ROOT.glob("two*"))
