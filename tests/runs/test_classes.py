import json
from pathlib import Path

import pytest

from gan.errors import InputError
from gan.runs import data
from gan.runs.checkpoints import _class_names
from gan.runs.classes import read_class_names
from gan.runs.folder import Run
from tests.callbacks.stage import game


def test_names_in_the_order_of_their_labels(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text(json.dumps(["T-shirt/top", "3", "ä"]))
    assert read_class_names(tmp_path) == ("T-shirt/top", "3", "ä")


def test_a_run_without_names(tmp_path: Path) -> None:
    assert read_class_names(tmp_path) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no list of class names"),
        ('{"cat": 0}', "no list of class names"),
        ('["cat", 3]', "no list of class names"),
        ('["cat", " "]', "a class has no name"),
        ('["cat", "dog", "cat"]', "'cat' is there twice"),
    ],
)
def test_garbage_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(InputError, match=rf"classes\.json.*{words}"):
        read_class_names(tmp_path)


@pytest.mark.parametrize(("known", "count"), [(0, 2), (3, 2), (3, 3), (3, 4)])
def test_names_are_those_of_the_classes_that_the_model_knows(
    known: int, count: int, tmp_path: Path
) -> None:
    run, names = Run.__new__(Run), tuple("abcd"[:count])
    run.path = tmp_path
    (tmp_path / "classes.json").write_text(json.dumps(names))
    if known and known != count:
        with pytest.raises(InputError, match=f"it names {count} classes and the model has {known}"):
            _class_names(run, game(known))
    else:
        assert _class_names(run, game(known)).names == (names if known else ())


def test_a_name_of_two_classes_has_the_number_of_each() -> None:
    assert data._distinct(["cat", "dog", "cat", "owl"]) == ["cat (0)", "dog", "cat (2)", "owl"]
