"""The rows of ``report``: metrics of training, and of ``evaluate`` over seeds."""

from pathlib import Path

import pytest

from gan.commands.report import Entry, entries
from gan.runs.evaluations import Evaluations, Spread
from tests.runs.test_evaluations import record
from tests.sweeps.launching import fid, results


def test_a_run_has_a_row_of_training_and_of_each_evaluated_checkpoint(tmp_path: Path) -> None:
    results(tmp_path, **fid(4.0)).save()
    evaluations = Evaluations(tmp_path / "evaluation.json")
    for seed, value in enumerate((1.0, 3.0)):
        evaluations.add(record(seed, fid=value))
    (trained, evaluated), faults = entries([tmp_path])
    assert faults == []
    own, name = {("domain/fid", "aaaa"): Spread.of([4.0])}, str(tmp_path)
    assert trained == Entry(name, "training, best", 5, own, {"aaaa": {}})
    both = {("fid", "p"): Spread.of([1.0, 3.0])}
    assert evaluated == Entry(name, "evaluate, best", 5, both, {"p": {"num_fakes": 9}})


def test_a_damaged_file_is_named_and_the_other_is_read(tmp_path: Path) -> None:
    results(tmp_path, **fid(4.0)).save()
    (tmp_path / "evaluation.json").write_text("{")
    (trained,), (fault,) = entries([tmp_path])
    assert trained.source == "training, best"
    assert "evaluation.json" in fault


@pytest.mark.parametrize("count", [0, 2])
def test_runs_without_metrics_have_no_rows(count: int, tmp_path: Path) -> None:
    runs = [tmp_path / str(k) for k in range(count)]
    for run in runs:
        run.mkdir()
    assert entries(runs) == ([], [])
