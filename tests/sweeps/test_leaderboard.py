import csv
from pathlib import Path

import pytest

from gan.commands.main import dispatch
from gan.errors import InputError
from gan.sweeps.callback import Sweep, write_leaderboard
from gan.sweeps.job import State
from gan.sweeps.leaderboard import Leaderboard
from tests.sweeps.launching import fid, folder


def table(sweep: Path) -> list[dict[str, str]]:
    with (sweep / "leaderboard.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Return a sweep of two losses and three seeds: a better one, a worse one, failures."""
    for seed, value in enumerate([5.0, 7.0, 9.0]):
        folder(tmp_path, "loss=hinge", "steps=10", f"seed={seed}", **fid(value, seed=seed))
    folder(tmp_path, "loss=wgan", "steps=10", "seed=0", **fid(4.0))
    folder(tmp_path, "loss=wgan", "steps=10", "seed=1", state=State.FAILED)
    folder(tmp_path, "loss=wgan", "steps=10", "seed=2", state=State.PRUNED, **fid(99.0))
    return tmp_path


def test_one_row_a_job_the_best_group_first(sweep: Path) -> None:
    dispatch(["leaderboard", f"sweep={sweep}"])
    rows = table(sweep)
    assert [row["loss"] for row in rows] == ["wgan"] * 3 + ["hinge"] * 3
    assert [row["seed"] for row in rows] == ["0", "1", "2"] * 2
    assert [row["state"] for row in rows] == ["finished", "failed", "pruned"] + ["finished"] * 3
    assert [row["reason"] for row in rows][:3] == ["", "it was failed", "it was pruned"]
    assert [row["domain/fid [aaaa]"] for row in rows] == ["4.0", "", "99.0", "5.0", "7.0", "9.0"]
    assert rows[0].keys() >= {"best_step", "seconds"}
    assert "steps" not in rows[0]  # the same for all


def test_seeds_are_one_line_and_failures_are_named(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    dispatch(["leaderboard", f"sweep={sweep}"])
    out = capsys.readouterr().out
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    assert ["wgan", "1 of 3", "4"] in lines  # neither the failed nor the pruned one counts
    assert ["hinge", "3 of 3", "7 ± 2"] in lines
    assert "failed: loss=wgan seed=1: it was failed" in out
    assert "pruned: loss=wgan seed=2: it was pruned" in out


def test_the_highest_comes_first_where_it_is_the_best(tmp_path: Path) -> None:
    for name, value in {"hinge": 2.0, "wgan": 3.0}.items():
        folder(tmp_path, f"loss={name}", **fid(value, higher_is_better=True))
    assert [row.values for group in Leaderboard.of(tmp_path).groups for row in group] == [
        {("domain/fid", "aaaa"): 3.0},
        {("domain/fid", "aaaa"): 2.0},
    ]


def test_values_under_different_protocols_share_no_column(tmp_path: Path) -> None:
    folder(tmp_path, "loss=hinge", **fid(5.0))
    folder(tmp_path, "loss=wgan", **fid(1.0, protocols={"domain/fid": "bbbb"}))
    board = Leaderboard.of(tmp_path)
    board.save()
    assert [(row["domain/fid [aaaa]"], row["domain/fid [bbbb]"]) for row in table(tmp_path)] == [
        ("5.0", ""),
        ("", "1.0"),
    ]


def test_a_folder_without_jobs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no job\.json"):
        dispatch(["leaderboard", f"sweep={tmp_path}"])


def status(sweep: Path) -> object:
    """Return the exit status of a sweep of that folder."""
    try:
        with write_leaderboard():
            Sweep.folder = sweep
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize("state", State)
def test_the_status_of_a_sweep(state: State, tmp_path: Path) -> None:
    """1 where a job failed; that one diverged or was pruned is an outcome of a search."""
    folder(tmp_path, "loss=hinge", "steps=10", "seed=0", **fid(5.0))
    folder(tmp_path, "loss=wgan", "steps=10", "seed=0", state=state)
    assert status(tmp_path) == (1 if state == State.FAILED else 0)
    assert len(table(tmp_path)) == 2


@pytest.mark.parametrize(
    ("states", "expected"),
    [(["diverged", "diverged"], 3), (["diverged", "failed"], 1), (["diverged", "pruned"], 0)],
)
def test_the_status_of_a_sweep_without_a_result(
    states: list[str], expected: int, tmp_path: Path
) -> None:
    for loss, state in zip(("loss=hinge", "loss=wgan"), states, strict=True):
        folder(tmp_path, loss, "steps=10", "seed=0", state=State(state))
    assert status(tmp_path) == expected
