"""From the command line to an exit status."""

import errno
import os
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ValidationError,
)
from yaml import YAMLError

from gan.commands.evaluate import EvaluateOptions, evaluate
from gan.commands.interpolate import InterpolateOptions, interpolate
from gan.commands.leaderboard import LeaderboardOptions, leaderboard
from gan.commands.report import ReportOptions, report
from gan.commands.sample import SampleOptions, sample
from gan.commands.schema import TrainConfig
from gan.commands.validation import nearest
from gan.errors import DIVERGED, DivergedError, InputError, causes

Result = TypeVar("Result")
DEBUG = "--debug" in sys.argv or os.environ.get("HYDRA_FULL_ERROR") == "1"

_LAUNCHERS = "hydra/launcher/"  # all but the basic one are plugins
COMMANDS: dict[str, tuple[type, Callable[..., None]]] = {
    "sample": (SampleOptions, sample),
    "evaluate": (EvaluateOptions, evaluate),
    "interpolate": (InterpolateOptions, interpolate),
    "report": (ReportOptions, report),
    "leaderboard": (LeaderboardOptions, leaderboard),
}


def usage() -> str:
    """Return each command with its settings and their defaults."""
    lines = []
    for name, (kind, command) in COMMANDS.items():
        defaults = OmegaConf.to_container(OmegaConf.structured(kind))
        assert isinstance(defaults, dict)
        settings = " ".join(f"{key!s}={value!s}" for key, value in defaults.items())
        what = (command.__doc__ or "").splitlines()[0]
        lines.append(f"python -m gan {name}: {what}\n  {settings.replace(MISSING, 'DIR')}")
    return "\n".join(lines)


def dispatch(arguments: list[str]) -> None:
    """Run the command that the first argument names on the key=value pairs that follow.

    Raises:
        InputError: on an unknown command, key or value.
    """
    name, *pairs = [a for a in arguments if a != "--debug"] or ["--help"]
    if name in ("--help", "-h", "help"):
        print(usage())
        return
    if name not in COMMANDS:
        raise InputError(f"no command '{name}': python -m gan {'|'.join(COMMANDS)} run=DIR ...")
    kind, command = COMMANDS[name]
    schema = OmegaConf.structured(kind)
    known = {str(key) for key in schema}
    for pair in pairs:
        key, equals, _ = pair.partition("=")
        if key not in known:
            raise InputError(f"{name}: {pair}: no such setting; {nearest(key, known)}")
        if not equals:
            raise InputError(f"{name}: {pair}: give a value, {pair}=...")
    options = OmegaConf.merge(schema, OmegaConf.from_dotlist(pairs))
    for key in sorted(OmegaConf.missing_keys(options)):
        raise InputError(f"{name}: {key} is not set: add {key}=... to the command")
    command(OmegaConf.to_object(options))


def _hydra_line(error: Exception) -> str:
    """Return a message of Hydra or OmegaConf as one line, with the nearest right name."""
    if isinstance(error, ConfigKeyError | ConfigAttributeError) and error.key is not None:
        names = error.parent_node or [field.name for field in fields(TrainConfig)]
        return f"{error.full_key}: no such setting; {nearest(str(error.key), map(str, names))}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: the command line cannot be read: {str(error).splitlines()[0]}"
    if isinstance(error, ValidationError) and error.full_key:
        return f"{error.full_key}: {str(error).splitlines()[0]}"
    missing = str(getattr(error, "missing_cfg_file", None))
    if missing.startswith(_LAUNCHERS):
        return f"{missing} is not among the launchers here: pip install 'ganymede[sweeps]'"
    message, _, places = str(error).partition("Config search path")
    return " ".join(message.split()) + _members(error, places)


def _members(error: Exception, places: str) -> str:
    """Return the hint at the options of a group that Hydra leaves unsaid, if it does."""
    place = re.search(r"provider=main, path=file://(\S+)", places)
    if not isinstance(error, MissingConfigException) or error.options or not place:
        return ""
    path = Path(place[1], error.missing_cfg_file or "")
    return f" {nearest(path.stem, (p.stem for p in path.parent.glob('*.yaml')))}"


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
        return f"the command line cannot be read: {' '.join(str(error).split())}"
    return _system_line(error) if isinstance(error, OSError) else None


def guarded(command: Callable[[], Result]) -> Result:
    """Return what ``command`` returns; bad input becomes one line and exit status 2.

    A run that diverged becomes one line and exit status 3.

    ``--debug`` on the command line or ``HYDRA_FULL_ERROR=1`` shows the traceback.
    """
    try:
        return command()
    except DivergedError as error:
        print(f"ganymede: {error}", file=sys.stderr)
        raise SystemExit(DIVERGED) from None
    except Exception as error:  # every fault is either explained or raised again
        line = explain(error)
        if DEBUG or line is None:
            raise
        print(f"ganymede: {line}", file=sys.stderr)
        raise SystemExit(2) from None
