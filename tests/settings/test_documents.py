"""YAML files of a user and of a run folder: what is read, and what is refused."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from gan.errors import InputError
from gan.settings import documents
from gan.settings.documents import MOST_BYTES, FileConfigSource, check_config, read, read_fast

READERS = (read, read_fast)


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "own.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def shared(levels: int) -> str:
    """Return a list of ten items, each of ten items, and so on, most of them aliases."""
    lines = [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, levels)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *lines])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("{a: [1, x], b: {c: null}}", {"a": [1, "x"], "b": {"c": None}}),
        ("\ufeffa: é", {"a": "é"}),
        ("a: ${b}", {"a": "${b}"}),
        ("[1, 2]", [1, 2]),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    ],
)
def test_plain_content(reader: Any, text: str, content: Any, tmp_path: Path) -> None:
    assert reader(written(tmp_path, text)) == content


def test_an_empty_file(tmp_path: Path) -> None:
    assert read(written(tmp_path, "")) == {}
    assert read_fast(written(tmp_path, "")) is None


def test_numbers_of_yaml_1_2_stay_texts_where_speed_counts(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1e-5")
    assert (read(path), read_fast(path)) == ({"a": 1e-5}, {"a": "1e-5"})


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("a: [", ""),
        (b"a: \xe9", "it is no text in UTF-8"),
        (b"#" * (MOST_BYTES + 1), "it has more than 4,194,304 bytes"),
        (shared(5), "its aliases expand to more than 100,000 values"),
    ],
)
def test_what_is_no_settings(reader: Any, content: bytes, cause: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=f"{path} holds no settings of a run") as caught:
        reader(path)
    assert cause in str(caught.value.__cause__)


@pytest.mark.parametrize("reader", READERS)
def test_files_up_to_the_limit_are_read(
    reader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 4)
    assert reader(written(tmp_path, "a: 1")) == {"a": 1}
    with pytest.raises(InputError):
        reader(written(tmp_path, "a: 12"))


@pytest.mark.parametrize(("text", "size"), [("a", 1), ("[a, b]", 3), ("{a: b, c: [d]}", 6)])
def test_values_are_counted(text: str, size: int, tmp_path: Path) -> None:
    assert documents._size(documents._parse(written(tmp_path, text))[1]) == size


def test_aliases_are_counted_where_they_stand(tmp_path: Path) -> None:
    tree = documents._parse(written(tmp_path, shared(4)))[1]
    assert documents._size(tree) == 1 + 4 + 4 + 10 + 110 + 1110 + 11110
    count = documents._size(yaml.compose(shared(20)))
    assert count == documents._MOST_NODES + 1  # and no further


@pytest.mark.parametrize("text", ["", "# nothing", "a: 1", "defaults: [a, {b: c}]", "a: *b"])
def test_configs_that_hydra_reads_are_left_alone(text: str, tmp_path: Path) -> None:
    if "*" in text:
        with pytest.raises(yaml.YAMLError):  # the library names the line
            check_config(written(tmp_path, text))
    else:
        check_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xef\xbb\xbfa: 1", "it begins with a byte-order mark: save it as UTF-8 without one"),
        (b"a: \xe9", "it is no text in UTF-8: correct it, or move it away"),
        (b"#" * (MOST_BYTES + 1), "it has more than 4,194,304 bytes"),
        (b"a: \x01", "correct it, or move it away"),
        (b"[" * 600, "correct it, or move it away"),
        (b"- 1", "it is no mapping: write KEY: VALUE on each line"),
        (b"3", "it is no mapping"),
        (b"null: 1", "the key None is no text: write it in quotes"),
        (b"a: 1\n3: 1", "the key 3 is no text"),
        (b"defaults: 3", "defaults: give a list, one '- GROUP: OPTION' on each line"),
        (b"defaults: text", "defaults: give a list"),
        (b"defaults: {a: b}", "defaults: give a list"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_configs_that_hydra_misreads_are_refused(
    content: bytes, words: str, tmp_path: Path
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as caught:
        check_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def source(folder: Path) -> FileConfigSource:
    return FileConfigSource(provider="test", path=f"file://{folder}")


def test_files_of_the_user_are_checked_and_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1")
    assert source(tmp_path).load_config("own").config == {"a": 1}
    path.write_text("a: 2")
    assert source(tmp_path).load_config("own.yaml").config == {"a": 2}
    path.write_text("- 1")
    with pytest.raises(InputError, match="it is no mapping"):
        source(tmp_path).load_config("own")
    with pytest.raises(Exception, match="absent"):
        source(tmp_path).load_config("absent")


def test_files_of_the_project_are_parsed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "CONF", tmp_path)
    monkeypatch.setattr(documents, "_PARSED", {})
    path = written(tmp_path, "a: [1]")
    first: Any = source(tmp_path).load_config("own").config
    first.a.append(2)
    path.write_text("a: [9]")
    assert len(documents._PARSED) == 1
    ((key, kept),) = documents._PARSED.items()
    assert kept.config == {"a": [1]}
    os.utime(path, ns=(key[1], key[1]))  # the time of modification tells that it is the same
    assert source(tmp_path).load_config("own").config == {"a": [1]}
    os.utime(path, (time.time() + 9, time.time() + 9))
    assert source(tmp_path).load_config("own").config == {"a": [9]}
