"""Errors as one line for the user."""

import errno
import re
from dataclasses import fields
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ValidationError,
)
from yaml import YAMLError

from gan.errors import InputError, causes
from gan.settings import renamed
from gan.settings.schema import TrainConfig
from gan.settings.validation import nearest

_LAUNCHERS = "hydra/launcher/"  # all but the basic one are plugins


def _hydra_line(error: Exception) -> str:
    """Return a message of Hydra or OmegaConf as one line, with the nearest right name."""
    new = _renamed(error)
    if new is not None:
        return new
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
