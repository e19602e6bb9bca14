"""Run folders that are damaged, unfinished or hostile."""

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gan.reports.folders import find_runs
from gan.reports.history import History
from gan.reports.summary import RunSummary, leaves
from gan.sweeps.job import Outcome, State
from tests.reports import made_up


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made_up.run(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.json", "{"),
        ("results.json", '{"run": 3}'),
        ("evaluation.json", "[]"),
        ("metrics.csv", "nothing"),
        ("classes.json", "{}"),
        ("job.json", '{"state": "asleep"}'),
        ("diagnosis.json", "[1]"),
        (".hydra/config.yaml", "a: [1"),
        (".hydra/config.yaml", "- 1"),
        (".hydra/overrides.yaml", "a: 1"),
        (".hydra/config.yaml", "a: &a [1,1,1,1,1,1,1,1]\n" + "b: &b [*a]\n" * 3 + "\x00"),
    ],
)
def test_a_damaged_file_is_named_and_the_others_are_read(
    run: Path, name: str, content: str
) -> None:
    (run / name).write_text(content)
    found = RunSummary.read(run)
    assert len(found.faults) == 1
    assert name in found.faults[0]
    assert bool(found.results) == (name != "results.json")
    assert bool(found.history.steps) == (name != "metrics.csv")
    assert bool(found.settings) == (name != ".hydra/config.yaml")


def test_a_whole_run_has_no_fault(run: Path) -> None:
    found = RunSummary.read(run)
    assert (found.faults, found.state, found.reason, found.seed) == ([], State.FINISHED, "", "0")
    assert found.settings["loss._target_"] == "gan.losses.hinge.Loss"
    assert "run_dir" not in found.settings


def test_why_a_run_is_not_finished(run: Path, tmp_path: Path) -> None:
    config = run / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("steps: 150", "steps: 900"))
    assert RunSummary.read(run).reason == "stopped at step 150 of 900"
    (run / "results.json").unlink()
    assert RunSummary.read(run).reason == (
        "no results yet: it runs, or was killed, after step 150 of 900"
    )
    diagnosis = {"step": 7, "what": "not finite", "likely_cause": "rate", "remedy": "lower it"}
    (run / "diagnosis.json").write_text(json.dumps(diagnosis))
    found = RunSummary.read(run)
    assert (found.state, found.reason) == (State.DIVERGED, "step 7: not finite; rate; lower it")
    Outcome(State.FAILED, "no memory\x1b[2J").save(run)
    assert RunSummary.read(run).reason == "no memory?[2J"
    (tmp_path / "empty").mkdir()
    assert RunSummary.read(tmp_path / "empty").reason == "no run was started here"


def test_a_link_out_of_the_folder_is_not_followed(run: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(made_up.png(0, (8, 8)))
    (run / "figures").mkdir()
    os.symlink(tmp_path / "secret.png", run / "figures" / "a.png")
    found = RunSummary.read(run)
    assert "is a link out of" in found.faults[0]
    assert not found.figures
    assert not found.results


def test_pictures_by_step_and_figures_by_name(run: Path) -> None:
    for place in ("samples/step_00000100.png", "samples/step_00000020.png", "samples/x.png"):
        (run / place).touch()
    (run / "figures").mkdir()
    for name in ("b.png", "a.GIF", "notes.txt", "c.svg"):
        (run / "figures" / name).touch()
    found = RunSummary.read(run)
    assert list(found.samples) == [20, 100]
    assert [path.name for path in found.figures] == ["a.GIF", "b.png"]


@pytest.mark.parametrize("name", ["[bold]x", "a*", "b?"])
def test_a_run_is_found_by_its_name_whatever_it_is(name: str, tmp_path: Path) -> None:
    for folder in (name, "other"):
        (tmp_path / folder / ".hydra").mkdir(parents=True)
        (tmp_path / folder / ".hydra" / "config.yaml").touch()
    assert find_runs(str(tmp_path / name)) == [tmp_path / name]


def test_runs_are_found_below_what_is_named(tmp_path: Path) -> None:
    sweep = tmp_path / "sweeps" / "mine"
    for name in ("a", "b"):
        made_up.run(sweep / name)
    (sweep / "failed").mkdir()
    Outcome(State.FAILED, "why").save(sweep / "failed")
    (tmp_path / "sweeps" / "empty").mkdir()
    (tmp_path / "sweeps" / "leaderboard.csv").touch()
    jobs = [sweep / "a", sweep / "b", sweep / "failed"]
    assert find_runs(str(sweep)) == find_runs(f"{sweep}/*") == jobs
    assert find_runs(str(tmp_path)) == jobs
    assert find_runs(f"{tmp_path}/sweeps/*") == [tmp_path / "sweeps" / "empty", *jobs]
    assert find_runs(str(tmp_path / "none")) == []


def test_the_command_line_is_that_of_the_job_or_else_the_stored_one(run: Path) -> None:
    assert RunSummary.read(run).overrides[:2] == ["model=dcgan", "loss=hinge"]
    Outcome(State.RUNNING, overrides=["model=mlp"]).save(run)
    found = RunSummary.read(run)
    assert (found.overrides, found.state) == (["model=mlp"], State.FINISHED)
    (run / "job.json").unlink()
    (run / ".hydra" / "overrides.yaml").unlink()
    assert RunSummary.read(run).overrides == []


@pytest.mark.parametrize(
    ("given", "planned", "outcome", "state", "reason"),
    [
        ({"results": 150}, "150", None, State.FINISHED, ""),
        ({"results": 150}, "151", None, State.PREEMPTED, "stopped at step 150 of 151"),
        ({"results": 150}, None, None, State.FINISHED, ""),
        ({"results": 150}, "1e3", None, State.FINISHED, ""),
        ({"results": 150}, "900", State.PRUNED, State.PRUNED, ""),
        ({"results": 150}, "150", State.RUNNING, State.FINISHED, ""),
        ({"steps": 7}, "9", None, State.RUNNING, "after step 7 of 9"),
        ({"steps": 7}, None, None, State.RUNNING, "after step 7 of ?"),
        ({}, "9", None, State.RUNNING, "after step 0 of 9"),
        ({}, None, None, State.FAILED, "no run was started here"),
        ({}, None, State.FINISHED, State.FINISHED, ""),
    ],
)
def test_the_state_of_a_run(
    given: dict[str, int], planned: str | None, outcome: State | None, state: State, reason: str
) -> None:
    run = RunSummary(Path("a"), settings={} if planned is None else {"steps": planned})
    run.history = History(steps=given.get("steps", 0))
    if "results" in given:
        run.results = made_up.results(run.folder, 1.0, given["results"], 0)
    run.state, found = run._state(None if outcome is None else Outcome(outcome), None)
    assert (run.state, found[-len(reason) :] if reason else found) == (state, reason)
    assert run.finished == (state == State.FINISHED and "results" in given)


def test_hours_and_seed_are_those_that_are_known() -> None:
    results = made_up.results(Path("a"), 1.0, 100, 7, seconds=5400.0)
    known, unknown = History(hours=0.25), History()
    runs = [
        RunSummary(Path("a"), history=history, results=found, settings={"seed": "3"})
        for history in (known, unknown)
        for found in (results, None)
    ]
    assert [run.hours for run in runs] == [0.25, 0.25, 1.5, None]
    assert [run.seed for run in runs] == ["7", "3"] * 2
    assert RunSummary(Path("a")).seed == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"step": 7, "what": "nan"}, "step 7: nan"),
        ({"remedy": "lower it", "readings": []}, "step ?: lower it"),
    ],
)
def test_a_diagnosis_in_part(tmp_path: Path, content: dict[str, Any], reason: str) -> None:
    (tmp_path / "diagnosis.json").write_text(json.dumps(content))
    assert RunSummary.read(tmp_path).reason == reason


def test_settings_as_text_by_dotted_key() -> None:
    settings = {"a": {"b": 1, "c": {"d": None, "e": {}}}, "f": [1, {"g": "x"}], "h": "text"}
    assert dict(leaves({**settings, "i": date(2020, 1, 2)})) == {
        "a.b": "1",
        "a.c.d": "null",
        "a.c.e": "{}",
        "f": '[1, {"g": "x"}]',
        "h": "text",
        "i": '"2020-01-02"',
    }
