"""Groups of ``conf/``, their descriptions, and the settings that the help lists."""

import ast
from pathlib import Path

import pytest

from gan.settings import groups
from gan.settings.groups import defaults, description, options, title
from gan.settings.knobs import Knob, _parameters, described, dotted_knobs, knobs
from gan.settings.names import nearest
from tests.configs import ROOT


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of configs, empty but for a group."""
    (tmp_path / "loss").mkdir()
    monkeypatch.setattr(groups, "CONF", tmp_path)
    return tmp_path


def test_options_are_the_files_of_a_group(conf: Path) -> None:
    for name in ("b.yaml", "a.yaml", "_base.yaml", "c.txt"):
        (conf / "loss" / name).touch()
    assert options("loss") == ["a", "b"]
    assert options("absent") == []


@pytest.mark.parametrize(
    ("text", "words", "start"),
    [
        ("# Hinge (A, 2017). More of\n# it.\nloss: 1\n# no", "Hinge (A, 2017). More of it.", "H"),
        ("# @package _global_\n# Least squares.\n", "Least squares.", "Least squares"),
        ("# A (B et al. 2014): words.\n", "A (B et al. 2014): words.", "A (B et al. 2014)"),
        (
            "# A (B et al., Sec. 3): words.\n",
            "A (B et al., Sec. 3): words.",
            "A (B et al., Sec. 3)",
        ),
        ("# No stop\n", "No stop", "No stop"),
        ("loss: 1\n# Words.\n", "", ""),
    ],
)
def test_the_comment_at_the_head(conf: Path, text: str, words: str, start: str) -> None:
    (conf / "loss" / "own.yaml").write_text(text)
    assert description("loss", "own") == words
    assert title("loss", "own").startswith(start)
    assert title("loss", "own") == (start if len(start) != 1 else "Hinge (A, 2017)")


def test_the_configs_lie_in_the_package_or_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert groups.CONF == ROOT / "conf"
    monkeypatch.setattr(groups, "_PACKAGE", tmp_path / "gan")
    assert groups._conf() == tmp_path / "conf"
    (tmp_path / "gan" / "conf").mkdir(parents=True)
    assert groups._conf() == tmp_path / "gan" / "conf"


def test_defaults_of_a_run(conf: Path) -> None:
    entries = ["schema", "_self_", "model: dcgan", "metrics: [fid, is]", "experiment: null"]
    lines = [f"  - {entry}" for entry in (*entries, "logger: []", "override hydra/log: a")]
    (conf / "train.yaml").write_text("\n".join(["defaults:", *lines]))
    assert defaults() == {
        **{"model": "dcgan", "metrics": "[fid,is]", "experiment": "null", "logger": "[]"}
    }


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("stesp", ["seed", "steps"], "did you mean 'steps'?"),
        ("x", ["b", "a"], "known are a, b"),
        ("x", [], "there are none"),
    ],
)
def test_hints(name: str, known: list[str], hint: str) -> None:
    assert nearest(name, known) == hint


def test_settings_of_one_word() -> None:
    found = {knob.name: knob for knob in knobs()}
    assert found["steps"] == Knob("steps", int, "2000", "generator updates")
    assert found["name"].type == (str | None)
    assert found["freeze"].default == "{discriminator: 0}"
    assert not {"loss", "doctor", "defaults", "model"} & found.keys()
    assert list(found)[:3] == ["size", "steps", "batch_size"]


def test_entries_of_a_docstring() -> None:
    text = """Do it.

    Args:
        first: what it is, in
            ``two`` lines.
        second: the other.

    Returns:
        third: none of them.
    """
    assert described(text, "Args") == {"first": "what it is, in two lines.", "second": "the other."}
    assert described(text, "Returns") == {"third": "none of them."}
    assert described(text, "Attributes") == {}


def test_settings_of_nodes() -> None:
    found = {knob.name: knob for knob in dotted_knobs()}
    assert found["evaluation.every"].default == "steps/20, at least 500"
    assert found["evaluation.every"].type == "int"
    assert found["data.workers"].comment
    assert not found["data.workers"].comment.endswith(".")
    assert {"doctor.patience", "stop.patience", "callbacks.samples.rows"} <= found.keys()
    absent = {"data.seed", "data.steps", "doctor.folder", "evaluation.cache", "evaluation.metrics"}
    assert not absent & found.keys()  # which come from other nodes


def test_parameters_with_their_defaults() -> None:
    text = "class A:\n    x = 1\n    def other(self): ...\n"
    text += "    def __init__(self, a, b: str = 'x', c=None, *, d, e=True, f=False): ...\n"
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.ClassDef)
    pairs = [(argument.arg, default) for argument, default in _parameters(node)]
    expected = [("self", None), ("a", None), ("b", "x"), ("c", "null"), ("d", None)]
    assert pairs == [*expected, ("e", "true"), ("f", "false")]
