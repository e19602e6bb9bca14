"""Errors of libraries and of the system, each as one line."""

import errno
from typing import Any

import pytest
import yaml
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    GrammarParseError,
    InterpolationResolutionError,
    OmegaConfBaseException,
    ValidationError,
)

from gan.errors import InputError
from gan.settings.errors import _yaml_line, explain, reading_settings


class DataError(ValueError):
    """An error of data, as another package raises it."""


def omegaconf(kind: type[OmegaConfBaseException], key: str, name: str | None = None) -> Exception:
    """Return an error of OmegaConf about a key."""
    error = kind("words of a library")
    error.full_key, error.key = key, name
    error.parent_node = OmegaConf.create({"width": 1}) if "." in key else None
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def missing(name: str, *known: str) -> Exception:
    return MissingConfigException("words", name, [*known])


LINES: list[tuple[BaseException, str | None]] = [
    (InputError("steps=0:\n  give more"), "steps=0: give more"),
    (DataError("data.root: not found"), "data.root: not found"),
    (caused(RuntimeError("x"), InputError("steps=0")), "steps=0"),
    (ValueError("a fault"), None),
    (RuntimeError("a fault"), None),
    (omegaconf(ConfigKeyError, "stesp", "stesp"), "stesp: no such setting; did you mean 'steps'?"),
    (
        omegaconf(ConfigAttributeError, "model.widht", "widht"),
        "model.widht: no such setting; did you mean 'width'?",
    ),
    (omegaconf(ConfigKeyError, "a.b"), "a.b: this value does not fit there: correct it"),
    (
        omegaconf(InterpolationResolutionError, "a.b"),
        "a.b: it refers to a setting that is not there, or cannot be computed: write its value out",
    ),
    (
        omegaconf(GrammarParseError, "a.b"),
        "a.b: it refers to a setting that is not there, or cannot be computed: write its value out",
    ),
    (omegaconf(ValidationError, "steps"), "steps: this value does not fit there: correct it"),
    (omegaconf(ValidationError, ""), "words of a library"),
    (
        omegaconf(ConfigKeyError, "metrics.every", "every"),
        "metrics.every: this setting is called evaluation.every now",
    ),
    (missing("loss/hing", "hinge"), "loss=hing: no such option; did you mean 'hinge'?"),
    (missing("loss/own", "ownn"), "loss=own: no such option; did you mean 'ownn'?"),
    (missing("own.yaml"), "--config-name=own: there is no such file in conf or --config-dir"),
    (
        missing("metrics/inception"),
        "metrics=inception: this setting is called backbone=inception now",
    ),
    (
        missing("hydra/launcher/joblib"),
        "hydra/launcher/joblib is not among the launchers here: run pip install "
        "'SOURCE[sweeps]', where SOURCE is this project's folder or wheel",
    ),
    (MissingConfigException("no more\nthan words", ""), "no more than words"),
    (HydraException("a  b\nConfig search path: c"), "a b"),
    (
        HydraException("Could not override 'stesp'."),
        "stesp: no such setting; did you mean 'steps'?",
    ),
    (
        HydraException("Could not override 'measures'."),
        "measures: this setting is called metrics now",
    ),
    (
        HydraException("Could not override 'data@data.a'."),
        "data.a: it is one of two data sets: add data=unpaired",
    ),
    (
        HydraException("Could not override 'data@data.a.b'."),
        "data.a: it has two domains itself: choose another data set",
    ),
    (
        HydraException("Could not override 'loss@own'."),
        "override /loss: begin that file with the line # @package _global_",
    ),
    (
        caused(InstantiationException("x\n full_key: prior"), TypeError("dim:\n too small")),
        "prior: it cannot be built from its settings: dim: too small",
    ),
    (
        caused(InstantiationException("x"), TypeError("dim")),
        "a setting: it cannot be built from its settings: dim",
    ),
    (
        caused(InstantiationException("x"), MemoryError()),
        "there is not enough memory for such a network: give smaller numbers",
    ),
    (
        caused(InstantiationException("x"), RuntimeError("cannot alloc 9 bytes")),
        "there is not enough memory for such a network: give smaller numbers",
    ),
    (
        caused(HydraException("outer"), omegaconf(ValidationError, "steps")),
        "steps: this value does not fit there: correct it",
    ),
    (caused(HydraException("outer"), ValueError("inner")), "inner"),
    (
        yaml.YAMLError("x"),
        "a value of the command line cannot be read: put it in quotes, \"KEY='...'\"",
    ),
    (OSError(errno.EACCES, "denied", "a/b"), "a/b: denied: choose another place"),
    (OSError(errno.EIO, "fault"), None),
    (OSError(errno.ENOSPC, "full", "a"), "a: full: make room there, or choose another place"),
    (
        OSError(errno.EDQUOT, "full", "a", None, "b"),
        "b: full: make room there, or choose another place",
    ),
    (
        OSError(errno.ENOSPC, "full"),
        "the disk that is written to: full: make room there, or choose another place",
    ),
]


@pytest.mark.parametrize(("error", "line"), LINES, ids=lambda v: str(v)[:40])
def test_one_line(error: BaseException, line: str | None) -> None:
    assert explain(error) == line


@pytest.mark.parametrize("name", ["own.yaml", "own.yml", "<unicode string>"])
@pytest.mark.parametrize("problem", ["a tab", None])
def test_the_line_of_a_yaml_file_is_named(name: str, problem: str | None) -> None:
    mark = yaml.Mark(name, 0, 4, 2, None, 0)
    line = _yaml_line(yaml.MarkedYAMLError(problem=problem, problem_mark=mark))
    if name.startswith("own"):
        assert line == f"{name}, line 5: {problem or 'it is no YAML'}: correct it"
    else:
        assert line.startswith("a value of the command line cannot be read")


@pytest.mark.parametrize("known", [InputError("steps=0"), yaml.YAMLError("x")])
def test_errors_about_input_pass(known: Exception) -> None:
    def fail() -> Any:
        with reading_settings():
            raise known

    with pytest.raises(type(known)) as caught:
        fail()
    assert caught.value is known


def test_other_errors_while_settings_are_read_are_about_input() -> None:
    with (
        pytest.raises(InputError, match=r"the settings cannot be read: .* by --debug"),
        reading_settings(),
    ):
        raise KeyError("x")
