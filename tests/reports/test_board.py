"""Groups of runs, and the tables of what can be compared."""

from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

from gan.reports.board import Section, measurements, memorisation_names, rows_of, sections
from gan.reports.folders import find_runs
from gan.reports.groups import Group, group_by_settings
from gan.reports.summary import RunSummary
from gan.runs.evaluations import Spread
from tests.reports import made_up
from tests.reports.made_up import FID, RECALL
from tests.runs.test_evaluations import record

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


def plain(name: str, fid: float = 1.0, seed: int = 0, **given: Any) -> RunSummary:
    """Return a run that has results and no other file."""
    found = made_up.results(Path(name), fid, 100, seed, **given)
    return RunSummary(Path(name), results=found, settings={"seed": str(seed)})


def test_evaluate_has_its_own_row_with_the_spread_over_sampling_seeds() -> None:
    run = plain("a")
    run.evaluations = [[record(0, fid=1.0), record(1, fid=3.0)], [record(0, "v", "q", fid=9.0)]]
    trained, evaluated, other = measurements(run)
    assert (trained.source, trained.step, trained.stamp) == ("training", 50, made_up.STAMP)
    assert (evaluated.source, evaluated.step) == ("evaluate, best", 5)
    assert (evaluated.stamp, evaluated.protocols) == ({"num_fakes": 9}, {"fid": "p"})
    assert (evaluated.best, evaluated.last, evaluated.baseline) == (
        {"fid": Spread.of([1.0, 3.0])},
        {},
        {},
    )
    assert other.best == {"fid": Spread.of([9.0])}
    rows = rows_of([Group([run])])
    assert [row.source for row in rows] == ["training", "evaluate, best", "evaluate, best"]
    assert [section.size for section in sections(rows)] == [1, 1, 1]


def test_a_stamp_but_for_its_sampling_seed_tells_measurements_apart() -> None:
    stamps = [{**made_up.STAMP, **new} for new in ({}, {"sample_seed": 7}, {"num_fakes": 9})]
    one, same, other = (next(measurements(plain("a", stamp=stamp))) for stamp in stamps)
    assert one.stamp_key == same.stamp_key != other.stamp_key


def test_runs_without_finite_values_are_measured_by_nothing() -> None:
    assert list(measurements(RunSummary(Path("a")))) == []
    assert list(measurements(plain("a", best={}))) == []
    (found,) = measurements(plain("a", best={"step": 3, FID: float("nan"), RECALL: 0.5}))
    assert found.best.keys() == {"step", RECALL}


def test_the_monitored_value_comes_first_and_ranks() -> None:
    runs = [plain("a", 1.0, monitor=RECALL), plain("b", 2.0, monitor=RECALL)]
    (section,) = sections(rows_of([Group([run], run.folder.name) for run in runs]))
    assert [name for name, _ in section.columns] == [RECALL, FID]
    assert [row.group.label for row in section.rows] == ["b", "a"]  # recall is 1 / fid


@pytest.mark.parametrize("higher", [True, False])
def test_the_direction_is_that_of_the_runs_that_monitor_the_column(higher: bool) -> None:
    """A run without results, or of which another value is monitored, does not count."""
    runs = [RunSummary(Path("a")), plain("b", 1.0, higher_is_better=higher)]
    runs += [plain("c", 2.0, monitor=RECALL, higher_is_better=not higher)]
    (section,) = sections(rows_of([Group(runs)]))
    assert section.monitored[0] == FID
    assert section.higher_is_better == higher


def test_a_table_of_evaluate_alone_ranks_the_smallest_first() -> None:
    runs = [RunSummary(Path(name)) for name in "ab"]
    for run, value in zip(runs, (3.0, 2.0), strict=True):
        run.evaluations = [[record(0, fid=value)]]
    (section,) = sections(rows_of([Group([run], run.folder.name) for run in runs]))
    assert not section.higher_is_better
    assert [row.group.label for row in section.rows] == ["b", "a"]
    assert (section.baseline, section.prefix) == ({}, "")
    assert section.protocol.startswith("unknown unknown, 9 fakes")


@pytest.mark.parametrize(
    ("names", "prefix"),
    [(["a/x", "a/y"], "a/"), (["a/x", "b/x"], ""), (["x", "y"], ""), (["x", "a/x"], "")],
)
def test_names_have_a_prefix_in_common_or_none(names: list[str], prefix: str) -> None:
    assert Section([], [(name, "p") for name in names]).prefix == prefix


def test_memorisation_is_read_in_one_order_and_averaged_over_seeds() -> None:
    values = {"x/fid_gap": 1.0, "b/copies": 2.0, "a/copies": 3.0, "nearest_real": 4.0, "fid": 5.0}
    runs = [plain("a", best={"step": 1, **values}), plain("b", best={"step": 1, "a/copies": 6.0})]
    (row,) = rows_of([Group(runs)])
    names = memorisation_names(row.measured)
    assert names == ["nearest_real", "a/copies", "b/copies", "x/fid_gap"]
    assert [row.mean(name) for name in ("a/copies", "b/copies", "none")] == [
        Spread.of([3.0, 6.0]),
        Spread.of([2.0]),
        None,
    ]


def test_best_and_last_of_a_column_are_of_its_protocol(tmp_path: Path) -> None:
    (row,) = rows_of([Group([plain("a", 4.0), plain("b", 6.0, seed=1)])])
    assert row.best((FID, "aaaaaaaa")) == Spread.of([4.0, 6.0])
    assert row.last((FID, "aaaaaaaa")) == Spread.of([5.0, 7.0])
    assert row.best((FID, "other")) is row.last(("none", "aaaaaaaa")) is None


def test_a_label_is_what_tells_groups_apart() -> None:
    def labels(*typed: str) -> list[str]:
        runs = [
            RunSummary(Path(f"r{k}"), settings={"x": str(k)}, overrides=line.split())
            for k, line in enumerate(typed)
        ]
        return [group.label for group in group_by_settings(runs)]

    assert labels("model=a") == ["r0"]
    assert labels("model=a seed=1", "+model=b seed=2 size=tiny") == ["model=a", "model=b size=tiny"]
    watching = "callbacks.samples.every=9", "evaluation.every=1"
    assert labels(f"model=a {watching[0]}", f"model=b {watching[1]}") == ["model=a", "model=b"]
    assert labels("model=a", "model=a", "model=b") == ["model=a r0", "model=a r1", "model=b"]


def test_what_groups_runs() -> None:
    """Settings but the seed and what watches a run; without settings, the command line."""

    def count(*runs: tuple[dict[str, str], str]) -> int:
        made = [
            RunSummary(Path(f"r{k}"), settings=settings, overrides=typed.split())
            for k, (settings, typed) in enumerate(runs)
        ]
        return len(group_by_settings(made))

    assert count(({"x": "1", "seed": "1"}, "x=1"), ({"seed": "2", "x": "1"}, "")) == 1
    assert count(({"x": "1", "metrics.a": "1"}, ""), ({"x": "1", "doctor.every": "2"}, "")) == 1
    assert count(({"x": "1"}, ""), ({"x": "2"}, "")) == 2
    assert count(({}, "x=1 seed=1"), ({}, "x=1 seed=2"), ({}, "x=2")) == 2
    assert count(({}, ""), ({}, ""), ({}, "seed=1")) == 3
    assert Group([RunSummary(Path("a"), settings={"x": "1", "seed": "2"})]).settings == {"x": "1"}


def test_runs_within_a_run_are_part_of_it(tmp_path: Path) -> None:
    for place in ("a", "a/inner", "b/c"):
        (tmp_path / place / ".hydra").mkdir(parents=True)
        (tmp_path / place / ".hydra" / "config.yaml").touch()
    assert find_runs(str(tmp_path)) == [tmp_path / "a", tmp_path / "b" / "c"]
