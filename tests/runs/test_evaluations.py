import json
from pathlib import Path

import pytest

from gan.errors import InputError
from gan.runs.evaluations import Evaluations, Record, Spread, spreads


def record(seed: int = 0, weights: str = "w", protocol: str = "p", **values: float) -> Record:
    names = dict.fromkeys(values, protocol)
    return Record("best", 5, weights, seed, protocol, {"num_fakes": 9}, names, values, 1.5)


def test_mean_and_deviation_by_hand() -> None:
    found = spreads([record(0, fid=1.0), record(1, fid=2.0), record(2, fid=6.0)])["fid"]
    assert (found.mean, found.seeds) == (3.0, 3)
    assert found.std == pytest.approx(7**0.5)
    assert str(found) == "3 ± 2.6"


def test_one_seed_has_no_deviation() -> None:
    assert spreads([record(fid=4.0)])["fid"] == Spread(4.0, None, 1)
    assert str(Spread(4.0, None, 1)) == "4"


def test_records_survive_and_are_found(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    first = record(3, fid=1.0)
    Evaluations(path).add(first)
    again = Evaluations(path)
    assert again.find("w", 3, "p") == first
    assert again.find("w", 4, "p") is None
    assert again.find("other", 3, "p") is None
    assert again.find("w", 3, "other") is None


def test_only_seeds_are_averaged_over(tmp_path: Path) -> None:
    evaluations = Evaluations(tmp_path / "evaluation.json")
    for new in (record(0, fid=1.0), record(1, fid=3.0), record(0, protocol="q", fid=50.0)):
        evaluations.add(new)
    evaluations.add(record(0, weights="v", fid=70.0))
    summary = json.loads(evaluations.path.read_text())["summary"]
    assert [entry["values"]["fid"]["mean"] for entry in summary] == [2.0, 50.0, 70.0]


def test_a_foreign_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text('{"records": [{"fid": 3}]}')
    with pytest.raises(InputError, match="is no evaluation"):
        Evaluations(path)
    assert path.read_text() == '{"records": [{"fid": 3}]}'
