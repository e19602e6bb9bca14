"""The command line of a training run, prepared for Hydra."""

import os
import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from gan.errors import InputError
from gan.runs.folder import Run
from gan.runs.resume import AUTO
from gan.settings import renamed


def _key(argument: str) -> str:
    """Return the setting that an argument names."""
    return argument.split("=", 1)[0].lstrip("+~")


def _inherited(run: Run, given: Container[str]) -> Iterator[str]:
    """Yield the overrides of a run that are not given anew.

    Trust is not inherited: whoever runs the command gives it.

    Raises:
        InputError: if an override would change Hydra itself, which a run never does.
    """
    for override in run.overrides:
        words = re.findall(r"\w+", override.partition("=")[0])
        if override.startswith("-") or "hydra" in words:
            raise InputError(f"resume={run.path}: {override} is no setting of a run: remove it")
        if _key(override) not in given and "allow_targets" not in words:
            yield override


def _with_inherited(arguments: Sequence[str]) -> list[str]:
    """Return the arguments after the overrides of the run that is resumed, if one is."""
    given = {_key(a): a for a in arguments if "=" in a}
    folder = given.get("resume", "").partition("=")[2]
    if folder in ("", "null", AUTO):
        return [*arguments]
    return [*_inherited(Run(folder), given), *arguments, f"hydra.run.dir={folder}"]


def allow_new_key(argument: str) -> str:
    """Return an override that may add a dotted key which no yaml names.

    A key may name an argument of a constructor. The config is checked against the constructors
    afterwards, so that a misspelt key is still refused.
    """
    key = argument.split("=", 1)[0]
    plain = key[:1].isalpha() and "." in key and "/" not in key and not key.startswith("hydra.")
    return f"++{argument}" if "=" in argument and plain else argument


def _refuse_used_folder(arguments: Sequence[str]) -> None:
    """Refuse to start a run in the folder of another."""
    given = dict(a.split("=", 1) for a in arguments if "=" in a)
    folder = given.get("hydra.run.dir")
    if os.environ.get("LOCAL_RANK", "0") != "0":  # the first process of the run made it
        return
    if folder and "resume" not in given and (Path(folder) / ".hydra").exists():
        raise InputError(
            f"hydra.run.dir={folder} holds a run already: choose another folder, or go on with "
            f"it by resume={folder}"
        )


def prepare(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a training run as Hydra reads them.

    Raises:
        InputError: if the folder of the run is in use, the run to resume cannot be read, or a
            setting has another name today.
    """
    renamed.refuse(arguments)
    _refuse_used_folder(arguments)
    return [allow_new_key(argument) for argument in _with_inherited(arguments)]
