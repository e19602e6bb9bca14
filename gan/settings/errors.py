"""Errors as one line for the user."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    GrammarParseError,
    InterpolationResolutionError,
    OmegaConfBaseException,
)
from yaml import YAMLError

from gan.errors import InputError, causes, extra
from gan.settings import renamed
from gan.settings.groups import options
from gan.settings.names import nearest
from gan.settings.schema import NESTED, TrainConfig

_LAUNCHERS = "hydra/launcher/"  # all but the basic one are plugins
_KEY = re.compile(r"\s*full_key: (\S+)")


def _hydra_line(error: Exception) -> str:
    """Return an error of Hydra or OmegaConf as one line of this project's words."""
    new = _renamed(error)
    if new is not None:
        return new
    key = getattr(error, "full_key", None)
    if isinstance(error, ConfigKeyError | ConfigAttributeError) and error.key is not None:
        names = error.parent_node or [field.name for field in fields(TrainConfig)]
        return f"{error.full_key}: no such setting; {nearest(str(error.key), map(str, names))}"
    if isinstance(error, InterpolationResolutionError | GrammarParseError) and key:
        return (
            f"{key}: it refers to a setting that is not there, or cannot be computed: write its "
            "value out"
        )
    if isinstance(error, OmegaConfBaseException) and key:
        return f"{key}: this value does not fit there: correct it"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing(error)
    if isinstance(error, InstantiationException):
        return _refused(error)
    override = re.search(r"Could not override '([^']+)'", str(error))
    if override and "@" in override[1]:
        return _misplaced(*override[1].split("@", 1))
    if override:
        return f"{override[1]}: no such setting; {nearest(override[1], _top_level())}"
    return " ".join(str(error).partition("Config search path")[0].split())


def _misplaced(group: str, package: str) -> str:
    """Return the line for an option that was chosen where the group cannot be chosen."""
    if package in NESTED:
        return f"{package}: it is one of two data sets: add data=unpaired"
    if package.startswith(tuple(f"{node}." for node in NESTED)):
        return f"{package.rpartition('.')[0]}: it has two domains itself: choose another data set"
    return f"override /{group}: begin that file with the line # @package _global_"


def _top_level() -> list[str]:
    """Return the settings of the top level."""
    return [field.name for field in fields(TrainConfig)]


def _missing(error: MissingConfigException) -> str:
    """Return the line for a config, or an option of a group, that is not there."""
    name = str(error.missing_cfg_file).removesuffix(".yaml")
    if name.startswith(_LAUNCHERS):
        return f"{name} is not among the launchers here: {extra('sweeps')}"
    group, _, option = name.rpartition("/")
    if not group:
        return f"--config-name={name}: there is no such file in conf or --config-dir"
    known = sorted({*(error.options or ()), *options(group)})
    return f"{group}={option}: no such option; {nearest(option, known)}"


def _refused(error: InstantiationException) -> str:
    """Return the line for a constructor that refused its settings."""
    cause = causes(error)[-1]
    if isinstance(cause, MemoryError) or "alloc" in str(cause):
        return "there is not enough memory for such a network: give smaller numbers"
    key = _KEY.search(str(error))
    where = key[1] if key else "a setting"
    return f"{where}: it cannot be built from its settings: {' '.join(str(cause).split())}"


def _renamed(error: Exception) -> str | None:
    """Return the line for a setting of an earlier version, if the error is about one."""
    override = re.search(r"Could not override '([^']+)'", str(error))
    missing = str(getattr(error, "missing_cfg_file", None)).replace("/", "=", 1)
    candidates = (str(getattr(error, "full_key", "")), missing, override[1] if override else "")
    for old in candidates:
        new = renamed.current(old)
        if new is not None:
            return renamed.message(old, new)
    return None


def _yaml_line(error: YAMLError) -> str:
    """Return the place in a YAML file, or on the command line, that cannot be read."""
    mark = getattr(error, "problem_mark", None)
    if mark is None or not str(mark.name).endswith((".yaml", ".yml")):
        return "a value of the command line cannot be read: put it in quotes, \"KEY='...'\""
    problem = getattr(error, "problem", None) or "it is no YAML"
    return f"{mark.name}, line {mark.line + 1}: {problem}: correct it"


def _system_line(error: OSError) -> str | None:
    """Return what the operating system refused, where it is for the user to change."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename2 or error.filename or "the disk that is written to"
        return f"{where}: {error.strerror}: make room there, or choose another place"
    return f"{error.filename}: {error.strerror}: choose another place" if error.filename else None


def explain(error: BaseException) -> str | None:
    """Return the one line for bad input, or ``None`` for a fault of the program.

    Errors about input are this package's, those of the data (a ``ValueError`` by the name of
    ``DataError``), refusals of a constructor that Hydra called, Hydra's own, and those of the
    operating system that name a file or a full disk.
    """
    chain = causes(error)
    for cause in chain:
        if isinstance(cause, InputError) or type(cause).__name__ == "DataError":
            return " ".join(str(cause).split())
    if isinstance(error, HydraException | OmegaConfBaseException):
        for kind in (OmegaConfBaseException, ValueError, HydraException):
            for cause in chain:
                if isinstance(cause, kind):
                    return _hydra_line(cause)
    if isinstance(error, YAMLError):
        return _yaml_line(error)
    return _system_line(error) if isinstance(error, OSError) else None


def unreadable(error: Exception) -> InputError:
    """Return the error for settings that a library fails on in words of its own."""
    return InputError(
        "the settings cannot be read: correct the value that was given last, or see the reason by "
        "--debug"
    )


@contextmanager
def reading_settings() -> Iterator[None]:
    """Make an error about input of any error inside the context, which only reads settings.

    Raises:
        InputError: with the reason.
    """
    try:
        yield
    except Exception as error:  # values of any kind make libraries fail in any way
        if explain(error) is not None:
            raise
        raise unreadable(error) from error
