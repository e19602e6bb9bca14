import csv
import os
from pathlib import Path

import pytest

from gan.errors import InputError
from gan.loggers.table import Table
from gan.metrics.evaluation import protocol


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.csv"


def test_records_of_one_step_share_a_row(path: Path) -> None:
    table = Table(path)
    table.log_metrics({"loss": 0.5, "images": 8}, step=1)
    table.log_metrics({"fid": 12.0}, step=1)
    table.log_metrics({"loss": 0.25, "images": 16}, step=2)
    table.finalize("success")
    assert read(path) == [
        {"step": "1", "loss": "0.5", "images": "8", "fid": "12.0"},
        {"step": "2", "loss": "0.25", "images": "16", "fid": ""},
    ]


def test_columns_may_appear_later(path: Path) -> None:
    table = Table(path)
    table.log_metrics({"loss": 1.0}, step=1)
    table.save()
    table.log_metrics({"fid": 3.0}, step=5)
    table.save()
    assert [row["fid"] for row in read(path)] == ["", "3.0"]


def test_rows_are_in_the_order_of_steps(path: Path) -> None:
    table = Table(path)
    for step in (3, 1, 2):
        table.log_metrics({"loss": float(step)}, step=step)
    table.save()
    assert [row["step"] for row in read(path)] == ["1", "2", "3"]


def test_rewinding_keeps_the_rows_up_to_the_checkpoint(path: Path) -> None:
    first = Table(path)
    for step in (1, 2, 3, 4):
        first.log_metrics({"loss": step / 10, "old": step}, step=step)
    first.save()
    again = Table(path)
    again.rewind(2)
    again.log_metrics({"loss": 0.7, "new": 1}, step=3)
    again.finalize("success")
    rows = read(path)
    assert [row["loss"] for row in rows] == ["0.1", "0.2", "0.7"]
    assert [row["old"] for row in rows] == ["1", "2", ""]
    assert [row["new"] for row in rows] == ["", "", "1"]


def test_rewinding_touches_nothing_on_disk(path: Path) -> None:
    first = Table(path)
    first.log_metrics({"loss": 1.0}, step=9)
    first.save()
    before = path.read_bytes()
    Table(path).rewind(1)
    assert path.read_bytes() == before


def test_rewinding_a_run_without_a_table(path: Path) -> None:
    table = Table(path)
    table.rewind(5)
    assert table.rows == {}


@pytest.mark.parametrize(
    "content", ["images\n1\n", "step\none\n", 'step\n"1', "step\n\xff\0", "step\n1\n2,3\n"]
)
def test_rewinding_a_file_that_is_no_table(path: Path, content: str) -> None:
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=f"{path} is no table of a run"):
        Table(path).rewind(3)


def test_a_run_that_logged_nothing_leaves_the_file_alone(path: Path) -> None:
    empty = Table(path)
    empty.save()
    empty.finalize("failed")
    assert not path.exists()
    path.write_text("step,old\n1,2\n5,6\n")
    table = Table(path)
    table.rewind(1)
    table.finalize("failed")
    assert path.read_text() == "step,old\n1,2\n5,6\n"


def test_numbers_survive_a_round_trip(path: Path) -> None:
    number = 0.1 + 0.2
    table = Table(path)
    table.log_metrics({"loss": number}, step=1)
    table.save()
    assert float(read(path)[0]["loss"]) == number


def test_a_crash_while_writing_leaves_the_file_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(path)
    table.log_metrics({"loss": 1.0}, step=1)
    table.save()
    before = path.read_bytes()

    def crash(*paths: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", crash)
    table.log_metrics({"loss": 2.0}, step=2)
    with pytest.raises(OSError, match="power cut"):
        table.save()
    assert path.read_bytes() == before


def test_the_file_is_written_at_intervals(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("gan.loggers.table.time.monotonic", lambda: now[0])
    table = Table(path)
    for step, passed in enumerate((0.0, 5.0, 0.5), start=1):
        now[0] += passed
        table.log_metrics({"loss": 0.0}, step=step)
        assert len(read(path)) == (1 if step < 3 else 3)


def test_the_protocol_is_in_the_row_of_its_values(path: Path) -> None:
    table = Table(path)
    table.log_metrics({"loss": 1.0}, step=1)
    stamp = {"backbone": "domain", "num_fakes": 10}
    table.log_protocol(stamp, 2)
    table.log_metrics({"domain/fid": 3.0}, step=2)
    table.log_protocol({**stamp, "num_fakes": 20}, 3)
    table.save()
    names = [row["protocol"] for row in read(path)]
    assert names[0] == ""
    assert names[1] == protocol(stamp)
    assert names[2] not in ("", names[1])


def test_a_table_that_is_saved_is_not_written_again(tmp_path: Path) -> None:
    table = Table(tmp_path / "metrics.csv")
    table.log_metrics({"loss": 1.0}, 1)
    table.save()
    table.path.unlink()
    table.save()
    assert not table.path.exists()
    table.log_metrics({"loss": 2.0}, 2)
    table.save()
    assert len(table.path.read_text().splitlines()) == 3


def test_a_record_without_a_step_is_in_the_first_row(path: Path) -> None:
    table = Table(path)
    table.log_metrics({"loss": 2.0}, step=3)
    table.log_metrics({"loss": 1.0})
    assert table.rows.keys() == {3, 0}
    table.save()
    assert [row["loss"] for row in read(path)] == ["1.0", "2.0"]


def test_what_lightning_asks_of_a_logger(path: Path) -> None:
    table = Table(str(path))
    assert (table.name, table.version, table.experiment) == ("metrics.csv", "", table)
    table.log_hyperparams({"lr": 1.0})
    table.finalize("success")
    assert not path.exists()
