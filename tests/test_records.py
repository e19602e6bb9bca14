"""Records in JSON files."""

from pathlib import Path

import pytest

from gan import records
from gan.errors import InputError


def test_a_record_is_written_for_people(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    records.write(path, {"a": [1, None]})
    assert path.read_text() == '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    assert records.read(path, {"a": [1, None]}, "record") == {"a": [1, None]}


def test_an_absent_record_is_none_and_a_link_to_nothing_is_not(tmp_path: Path) -> None:
    assert records.read(tmp_path / "a.json", dict, "record") is None
    (tmp_path / "a.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"a\.json"):
        records.read(tmp_path / "a.json", dict, "record")


def test_texts_are_printable(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    records.write(path, {"a\x1b": ["b\x1b", {"c": "d\n"}], "n": 3})
    assert records.read(path, dict, "record") == {"a?": ["b?", {"c": "d?"}], "n": 3}


def test_what_differs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    records.write(path, {"a": 1})
    with pytest.raises(InputError, match=r"is no record \(a\.json\.a is 1.*\): move it away"):
        records.read(path, {"a": str}, "record")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="is not a regular file"):
        records.read(path, dict, "record")
