"""Rows, groups and columns of a leaderboard, and the folder of a sweep."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.sweeps.callback import Sweep, write_leaderboard
from gan.sweeps.job import Outcome, State
from gan.sweeps.leaderboard import Leaderboard, Row, _rounded, _spread
from gan.sweeps.pool import Pool
from gan.sweeps.signals import FORWARDER
from tests.sweeps.launching import fid, folder, results

FID, KID = ("domain/fid", "aaaa"), ("domain/kid", "bbbb")


def row(*overrides: str, state: State = State.FINISHED, seconds: float = 1.0, **given: Any) -> Row:
    found = None if given.get("best") == {} else results(Path("x"), **given)
    return Row("job", Outcome(state, None, 0, seconds, list(overrides)), found)


def test_settings_of_a_job() -> None:
    found = row("++prior.dim=8", "+callbacks.pruning={a:b}", "sweep=parallel", "a=b=c", seed=3)
    assert found.settings == {"seed": "3", "prior.dim": "8", "a": "b=c"}
    assert row("seed=5", seed=3).settings == {"seed": "5"}
    assert row("loss=hinge", best={}).settings == {"loss": "hinge"}


def test_values_of_a_job() -> None:
    best = {"step": 5, "domain/fid": 5.0, "other": 1.0}
    protocols = {"domain/kid": "bbbb", "domain/fid": "aaaa"}
    found = row(best=best, protocols=protocols)
    assert found.values == {FID: 5.0}
    assert found.monitored == FID
    assert row(best=best, protocols=protocols, monitor=None).monitored is None
    assert row(best={}).values == {}
    assert row(best={}).monitored is None


def both(fid: float, kid: float, **given: Any) -> dict[str, Any]:
    """Return what a run says of two metrics."""
    best = {"step": 5, "domain/fid": fid, "domain/kid": kid, "domain/a": 0.0}
    protocols = {"domain/a": "cccc", "domain/kid": "bbbb", "domain/fid": "aaaa"}
    return {"best": best, "protocols": protocols, **given}


def test_monitored_columns_come_first() -> None:
    board = Leaderboard(Path("x"), [row("a=1", **both(1.0, 2.0)), row("a=2", **both(3.0, 1.0))])
    assert board.columns == [FID, ("domain/a", "cccc"), KID]
    other = row("a=3", **both(9.0, 9.0, monitor="domain/kid"))
    assert Leaderboard(Path("x"), [*board.rows, other]).columns[:2] == [FID, KID]


def test_settings_that_vary() -> None:
    rows = [row("a=1", "b=1", "c=1", "seed=1"), row("a=2", "b=1", "seed=2")]
    assert Leaderboard(Path("x"), rows).varying == ["a", "c"]
    assert Leaderboard(Path("x"), rows[:1]).varying == []


def test_groups_in_their_order() -> None:
    """By the monitored column, then by the mean of what finished; the rest at the end."""
    rows = [
        row("a=none", state=State.FAILED, best={}),
        row("a=worse", **both(8.0, 0.0)),
        row("a=mean", "seed=0", **both(1.0, 0.0)),
        row("a=mean", "seed=1", **both(9.0, 0.0, seed=1)),
        row("a=pruned", state=State.PRUNED, **both(0.1, 0.0)),
        row("a=best", **both(2.0, 0.0)),
        row("a=kid", **both(0.0, 0.5, monitor="domain/kid")),
    ]
    groups = Leaderboard(Path("x"), rows).groups
    names = [group[0].settings["a"] for group in groups]
    assert names == ["best", "mean", "worse", "kid", "none", "pruned"]
    assert [len(group) for group in groups] == [1, 2, 1, 1, 1, 1]


def test_a_mean_over_what_finished_and_is_finite() -> None:
    group = [
        *(row(**both(value, 0.0)) for value in (1.0, 3.0, math.nan)),
        row(state=State.PRUNED, **both(50.0, 0.0)),
        row(best={}),
    ]
    found = _spread(group, FID)
    assert found is not None
    assert (found.mean, found.seeds) == (2.0, 2)
    assert _spread(group[3:], FID) is None


@pytest.mark.parametrize(
    ("text", "shown"), [("0.000123456", "0.0001235"), ("12", "12"), ("hinge", "hinge"), ("", "")]
)
def test_numbers_of_settings_are_rounded(text: str, shown: str) -> None:
    assert _rounded(text) == shown


def test_cells_of_the_file(tmp_path: Path) -> None:
    rows = [
        Row("one", Outcome(State.FINISHED, None, 0, 2.34, ["a=1"]), results(tmp_path)),
        Row("two", Outcome(State.FAILED, "why, then", 1, 0.0, ["a=2", "seed=4"]), None),
    ]
    Leaderboard(tmp_path, rows).save()
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        head, *cells = csv.reader(file)
    assert head == [
        *("job", "a", "seed", "state", "reason", "domain/fid [aaaa]", "best_step", "seconds")
    ]
    assert cells == [
        ["one", "1", "0", "finished", "", "5.0", "5", "2.3"],
        ["two", "2", "4", "failed", "why, then", "", "", "0.0"],
    ]


def test_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    rows = [
        *(row("lr=0.00012346", f"seed={k}", **fid(2.0 * k, seed=k)) for k in (1, 2)),
        Row("two", Outcome(State.RUNNING, None, overrides=["lr=[b]"]), None),
        Row("three", Outcome(State.FAILED, "why", overrides=[]), None),
    ]
    Leaderboard(tmp_path, rows).show()
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path}: mean ± deviation over seeds"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    assert ["0.0001235", "2 of 2", "3 ± 1.4"] in cells
    assert ["[b]", "0 of 1", ""] in cells
    assert lines[-3:] == [
        "running: lr=[b]",
        "failed: three: why",
        f"written: {tmp_path / 'leaderboard.csv'}",
    ]
    assert any(line.rstrip("┃ ").endswith("domain/fid") for line in lines)
    assert any("[aaaa]" in line for line in lines)


def test_the_folder_of_a_sweep_is_told_and_fixed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed: list[int] = []
    monkeypatch.setattr(FORWARDER, "install", lambda: installed.append(1))
    monkeypatch.setattr(Sweep, "folder", None)
    node = {"sweep": {"dir": "s/now"}, "overrides": {"hydra": ["hydra.mode=MULTIRUN"]}}
    config = OmegaConf.create({"hydra": node})
    OmegaConf.set_readonly(config, True)
    Sweep().on_multirun_start(config)
    assert Sweep.folder == Path("s/now")
    assert config.hydra.overrides.hydra == ["hydra.mode=MULTIRUN", "hydra.sweep.dir='s/now'"]
    assert capsys.readouterr().out.splitlines() == [
        "sweep folder: s/now",
        "the same command with hydra.sweep.dir=s/now runs what is missing",
    ]
    assert installed == [1]


@pytest.mark.parametrize(("received", "status"), [(2, 130), (15, 75), (None, 1)])
def test_a_sweep_that_was_told_to_stop(
    received: int | None, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, "loss=hinge", state=State.FAILED)

    def play() -> None:
        with write_leaderboard():
            assert Sweep.folder is None
            Sweep.folder, FORWARDER.received = tmp_path, received

    monkeypatch.setattr(Sweep, "folder", Path("before"))
    try:
        with pytest.raises(SystemExit) as left:
            play()
    finally:
        found, FORWARDER.received = FORWARDER.received, None
    assert (left.value.code, found) == (status, None)
    assert (tmp_path / "leaderboard.csv").exists()


def test_a_sweep_that_fails_writes_its_leaderboard(tmp_path: Path) -> None:
    folder(tmp_path, "loss=hinge")

    def play() -> None:
        with write_leaderboard():
            Sweep.folder = tmp_path
            raise KeyError("a fault")

    with pytest.raises(KeyError):
        play()
    assert (tmp_path / "leaderboard.csv").exists()


@pytest.mark.parametrize("empty", [True, False])
def test_without_jobs_there_is_no_leaderboard(
    empty: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with write_leaderboard():
        Sweep.folder = tmp_path if empty else None
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "leaderboard.csv").exists()
    assert FORWARDER.received is None


def test_a_pool_waits_where_too_few_are_free(tmp_path: Path) -> None:
    paused: list[int] = []
    held = Pool(["0", "1"], tmp_path, lambda: None).allocate(1)
    allocation = held.__enter__()
    assert (allocation.devices, len(allocation.descriptors)) == (["0"], 1)

    def pause() -> None:
        paused.append(1)
        if len(paused) == 2:
            held.__exit__(None, None, None)

    with Pool(["0", "1"], tmp_path, pause).allocate(2) as both_free:
        assert both_free.devices == ["1", "0"]
        assert len(set(both_free.descriptors)) == 2
    assert len(paused) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"turn.lock", "0.lock", "1.lock"}
