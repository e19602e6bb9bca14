"""Groups of runs, and the tables of what can be compared."""

from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest

from gan.reports.board import Section, rows_of, sections
from gan.reports.folders import find_runs
from gan.reports.groups import group_by_settings
from gan.reports.summary import RunSummary
from tests.reports import made_up
from tests.reports.made_up import FID, RECALL

Boards = Callable[[], list[Section]]


@pytest.fixture
def boards(tmp_path: Path) -> Boards:
    """Return what makes the tables of the runs in the folder."""
    return lambda: sections(
        rows_of(group_by_settings([RunSummary.read(run) for run in find_runs(str(tmp_path))]))
    )


def test_seeds_are_one_row_and_the_best_comes_first(tmp_path: Path, boards: Boards) -> None:
    for seed, fid in enumerate([9.0, 7.0, 8.5]):
        made_up.run(tmp_path / f"b{seed}", fid, "dcgan", seed=seed)
    made_up.run(tmp_path / "a", 3.0, "mlp")
    (section,) = boards()
    assert [row.group.label for row in section.rows] == ["model=mlp", "model=dcgan"]
    best, last = (of((FID, "aaaaaaaa")) for of in (section.rows[1].best, section.rows[1].last))
    assert best is not None
    assert last is not None
    assert (best.mean, best.std) == (mean([9, 7, 8.5]), stdev([9, 7, 8.5]))
    assert last.mean == best.mean + 1
    assert section.baseline[FID, "aaaaaaaa"] == 0.5
    assert section.prefix == "domain/"


def test_what_shares_no_protocol_shares_no_table(tmp_path: Path, boards: Boards) -> None:
    made_up.run(tmp_path / "a", 1.0)
    made_up.run(tmp_path / "b", 2.0, seed=1, protocols={FID: "other", RECALL: "more"})
    made_up.run(tmp_path / "c", 3.0, "mlp", protocols={FID: "third", RECALL: "bbbbbbbb"})
    joined, alone = boards()
    assert joined.columns == [(FID, "aaaaaaaa"), (FID, "third"), (RECALL, "bbbbbbbb")]
    assert alone.columns == [(FID, "other"), (RECALL, "more")]
    assert [row.best((FID, "third")) is None for row in joined.rows] == [True, False]


def test_one_seed_under_two_stamps_is_two_rows(tmp_path: Path, boards: Boards) -> None:
    made_up.run(tmp_path / "a", 1.0)
    made_up.run(tmp_path / "b", 9.0, seed=1, protocols={FID: "x"}, stamp={"num_fakes": 10})
    assert [len(section.rows[0].measured) for section in boards()] == [1, 1]


def test_unfinished_runs_do_not_count(tmp_path: Path, boards: Boards) -> None:
    made_up.run(tmp_path / "a", 4.0)
    made_up.run(tmp_path / "b", 100.0, seed=1, steps=150)
    results = tmp_path / "b" / "results.json"
    results.write_text(results.read_text().replace('"steps": 150', '"steps": 120'))
    (section,) = boards()
    spread = section.rows[0].best((FID, "aaaaaaaa"))
    assert spread is not None
    assert (spread.mean, len(section.rows[0].measured)) == (4.0, 2)


def test_the_largest_is_the_best_where_it_is(tmp_path: Path, boards: Boards) -> None:
    for name, fid in {"mlp": 2.0, "dcgan": 3.0}.items():
        made_up.run(tmp_path / name, fid, name, higher_is_better=True)
    assert [row.group.label for row in boards()[0].rows] == ["model=dcgan", "model=mlp"]


def test_equal_command_lines_with_different_settings_are_two_groups(tmp_path: Path) -> None:
    for name in ("one", "two"):
        made_up.run(tmp_path / name)
    config = tmp_path / "two" / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("width: 16", "width: 24"))
    runs = [RunSummary.read(run) for run in find_runs(str(tmp_path))]
    assert [group.label for group in group_by_settings(runs)] == ["one", "two"]


def test_the_order_of_stored_settings_does_not_matter(tmp_path: Path) -> None:
    for seed in (10, 9):
        made_up.run(tmp_path / str(seed), seed=seed)
    config = tmp_path / "9" / ".hydra" / "config.yaml"
    size, steps, *others = config.read_text().splitlines(keepends=True)
    config.write_text("".join([size, *others, steps]))
    (group,) = group_by_settings([RunSummary.read(run) for run in find_runs(str(tmp_path))])
    assert [run.seed for run in group.runs] == ["9", "10"]
