import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import gan
from gan.runs import hints, training
from gan.runs.results import Results
from tests.conftest import Compose
from tests.sweeps.launching import results

Screen = pytest.CaptureFixture[str]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "program", lambda: "ganymede")


def test_results_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    content = asdict(results(tmp_path, seconds=7.0))
    del content["seconds_measuring"], content["seconds_total"]
    (tmp_path / "results.json").write_text(json.dumps(content))
    found = Results.read(tmp_path)
    assert found is not None
    assert (found.seconds, found.seconds_measuring, found.runtime) == (7.0, None, 7.0)


def test_times_are_stored(tmp_path: Path) -> None:
    results(tmp_path, seconds=7.0, seconds_measuring=2.0, seconds_total=10.0).save()
    found = Results.read(tmp_path)
    assert found is not None
    assert (found.seconds, found.seconds_measuring, found.runtime) == (7.0, 2.0, 10.0)


@pytest.mark.usefixtures("program")
def test_the_table_has_what_ranks_models(tmp_path: Path, capsys: Screen) -> None:
    final = {"step": 10, "domain/fid": 6.0, "domain/is_std": 0.125}
    results(tmp_path, seconds=150.0, seconds_measuring=30.2, final=final).show()
    shown = capsys.readouterr().out
    assert "10 steps, 80 images; 2.5 minutes of training, 30 s of measuring" in shown
    row = next(line for line in shown.splitlines() if "domain/fid" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["domain/fid", "6.000", "5.000", ""]
    assert "is_std" not in shown


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(("planned", "steps"), [(0, 20), (10, 20), (15, 15)])
def test_a_run_that_was_stopped_goes_on_to_its_end(
    planned: int, steps: int, tmp_path: Path, capsys: Screen
) -> None:
    results(tmp_path).show(planned)
    assert capsys.readouterr().out.count(f" steps={steps}\n") == 1


@pytest.mark.usefixtures("program")
def test_without_metrics_there_is_a_line_and_no_table(
    tmp_path: Path, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "my runs" / "a"
    results(run, final={}, best={}, protocols={}, seconds=4.0).show()
    assert capsys.readouterr().out.splitlines() == [
        "10 steps, 80 images; 4 s of training, no metrics",
        f"run folder: {run}",
        "next:       ganymede sample 'run=my runs/a' n=64",
        "            ganymede train 'resume=my runs/a' steps=20",
        "            ganymede models",
        "            ganymede train -m model=dcgan,mlp seed=0,1",
    ]


def test_the_next_commands_trust_the_same_packages(tmp_path: Path) -> None:
    sample, more, *others = hints.next_commands(tmp_path, "steps=2", allowed=["mine", "theirs"])
    assert sample.endswith(" n=64 'allow_targets=[mine,theirs]'")
    assert more.endswith(" steps=2 'allow_targets=[mine,theirs]'")
    assert not any("allow_targets" in line for line in others)


def test_the_program_is_that_of_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "venv" / "bin"
    place.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(place / "python"))
    assert hints.program() == "venv/bin/python -m gan"
    (place / "ganymede").touch(mode=0o755)
    assert hints.program() == "venv/bin/ganymede"
    monkeypatch.setenv("PATH", str(place))
    assert hints.program() == "ganymede"


def test_a_run_tells_the_time_of_training_apart(config: Compose, tmp_path: Path) -> None:
    small = [*(f"model.{name}.width=4" for name in ("generator", "discriminator")), "data=digits"]
    small += ["metrics=[fid]", "evaluation.min_fakes=2", "evaluation.num_fakes=50"]
    small += ["backbone.training._target_=gan.backbones.classifier.Training"]
    done = training.train(config(*small, "backbone.training.rounds=[25]"))
    assert done == Results.read(tmp_path / "run")
    assert done.seconds_measuring is not None
    assert 0 < done.seconds < done.seconds_measuring  # which trains a classifier
    assert done.seconds + done.seconds_measuring < done.runtime


@pytest.mark.parametrize(
    ("size", "smaller"),
    [
        ("paper", "size=small or size=tiny trains smaller networks, steps= fewer steps"),
        ("small", "size=tiny trains smaller networks, steps= fewer steps"),
        ("tiny", "steps= trains fewer steps"),
        (None, "steps= trains fewer steps"),
    ],
)
def test_only_smaller_sizes_are_a_hint(size: str | None, smaller: str) -> None:
    assert training._hint(OmegaConf.create({} if size is None else {"size": size})) == smaller


def test_a_run_out_of_time_keeps_its_last_step(config: Compose, tmp_path: Path) -> None:
    small = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]"]
    done = training.train(config(*small, "steps=100000", "trainer.max_time={milliseconds: 100}"))
    assert 0 < done.steps < 100000
    assert gan.load(tmp_path / "run").clock.step == done.steps
    assert (tmp_path / "run" / "samples" / f"step_{done.steps:08d}.png").exists()
