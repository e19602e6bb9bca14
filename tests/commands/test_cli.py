import csv
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.commands.main import dispatch
from tests.configs import ROOT

MLP = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]"]
TINY = ["data=digits", "metrics=[]", "batch_size=8", "accelerator=cpu"]


def shell(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, in the root folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def cli(*command: str) -> int:
    """Run ``train.py`` in this process and return its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYDRA_FULL_ERROR", "0")  # restored afterwards
        patch.setattr(sys, "argv", ["train.py", *command])
        try:
            runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of two steps."""
    run = tmp_path_factory.mktemp("cli") / "run"
    assert cli(*TINY, *MLP, "steps=2", f"hydra.run.dir={run}") == 0
    return run


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


def test_a_run_and_its_samples_from_the_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
        "classes.json",
    }
    dispatch(["sample", f"run={run}", "n=5", f"out={grid}"])
    assert capsys.readouterr().out.strip() == str(grid)
    with Image.open(grid) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
        assert picture.width > picture.height


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(*TINY, "prior.dim=0", f"hydra.run.dir={tmp_path / 'run'}") == 2
    assert capsys.readouterr().err == "ganymede: prior.dim=0: give a number from 1\n"


@pytest.mark.slow
def test_a_sweep_gives_each_job_a_run_folder(tmp_path: Path) -> None:
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
        assert all(
            o.replace("=", "-") in run.name for o in named if o.startswith(("model=", "loss="))
        )
    assert len(chosen) == 4


@pytest.mark.slow
def test_a_failing_job_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*MLP, "steps=1", "averaging.half_life=-1,8"]
    assert cli("-m", *TINY, *given, f"hydra.sweep.dir={tmp_path}") == 1
    finished = [path.parent.name for path in tmp_path.glob("*/results.json")]
    assert len(finished) == 1
    assert "averaging.half_life-8" in finished[0]
    assert "averaging.half_life=-1" in capsys.readouterr().err


def test_resuming_goes_on_with_the_settings_of_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    given = [*MLP, "loss=hinge", "seed=7", "callbacks.telemetry.every=1"]
    assert cli(*TINY, *given, "steps=2", f"hydra.run.dir={run}") == 0
    before = rows(run)
    assert cli(f"resume={run}", "steps=4") == 0
    after = rows(run)
    assert after[:2] == before
    assert [row["step"] for row in after] == ["1", "2", "3", "4"]
    assert [row["images"] for row in after] == ["8", "16", "24", "32"]
    assert {"model=mlp", "loss=hinge", "seed=7", "steps=4"} <= set(overrides(run))
    results = json.loads((run / "results.json").read_text())
    assert (results["steps"], results["seed"]) == (4, 7)
    assert cli(f"resume={run}", "steps=5") == 0
    assert [row["step"] for row in rows(run)] == ["1", "2", "3", "4", "5"]


def test_of_a_setting_given_twice_the_last_counts(tmp_path: Path) -> None:
    given = [*TINY, *MLP, "regularizers=[r1]", "regularizers=[dragan]"]
    given += ["resume=auto", f"hydra.run.dir={tmp_path / 'run'}"]
    assert cli(*given, "steps=2") == 0
    assert cli(*given, "steps=3") == 0
    assert "discriminator/dragan" in rows(tmp_path / "run")[-1]


@pytest.mark.parametrize(
    ("again", "words"),
    [
        ("hydra.run.dir={run}", "holds a run already"),
        ("resume={run}", "has done 2 steps"),
        ("resume={run} steps=1", "has done 2 steps"),
        ("resume={run} steps=4 model.generator.hidden=[8]", "generator.hidden=[8] instead of"),
        ("resume={run} steps=4 accumulate=3", "accumulate=3"),
        ("resume={run} steps=4 loss=hinge", "loss._target_=gan.losses.hinge.Hinge instead of"),
        ("resume={run} steps=4 los=hinge", "did you mean 'loss'"),
        ("resume={run} steps=4 model=dcgan", "model=dcgan would make it another run"),
        ("resume={run} steps=4 loss=hinge,wgan", "several values are a sweep"),
    ],
)
def test_a_refusal_changes_nothing_on_disk(
    finished: Path, capsys: pytest.CaptureFixture[str], again: str, words: str
) -> None:
    before = content(finished)
    assert cli(*again.format(run=finished).split()) == 2
    assert words in capsys.readouterr().err
    assert content(finished) == before


def ddp(tmp_path: Path, *given: str) -> tuple[Path, Path]:
    """Return the folders of the same run on two processes and on one."""
    one, two = tmp_path / "one", tmp_path / "two"
    for run, accelerator in ((one, "cpu"), (two, "ddp_cpu")):
        ended = shell(
            "train.py",
            *TINY[:-1],
            *MLP,
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
    still = [
        "experiment=mlp_2014",
        "model.discriminator.dropout=0",
        "steps=3",
        f"n_critic={n_critic}",
    ]
    recipe = "backbone.training"
    metrics = [
        "backbone=domain",
        "evaluation.num_fakes=60",
        "evaluation.min_fakes=2",
        f"{recipe}.rounds=[5]",
    ]
    metrics += [f"{recipe}._target_=gan.backbones.classifier.Training"]
    two, one = ddp(tmp_path, *still, *metrics)
    a, b = weights(two), weights(one)
    assert a.keys() == b.keys()
    assert max(float((a[key] - b[key]).abs().max()) for key in a) < 1e-5
    many, single = (json.loads((run / "results.json").read_text()) for run in (two, one))
    assert many["images"] == single["images"] == 24 * n_critic
    assert many["final"] == pytest.approx(single["final"], rel=1e-3)
    assert not list(ROOT.glob("two*"))
