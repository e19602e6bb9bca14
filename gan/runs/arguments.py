"""The command line, made ready for Hydra."""

import os
import re
import sys
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from gan.errors import InputError
from gan.runs.folder import Run
from gan.runs.resume import AUTO


def _key(argument: str) -> str:
    """Return what an argument sets."""
    return argument.split("=", 1)[0].lstrip("+~")


def _kept(run: Run, given: Container[str]) -> Iterator[str]:
    """Yield the overrides of a run that are not given anew.

    Trust is not among them: it is given by who runs the command.

    Raises:
        InputError: if one would change Hydra itself, which a run never does.
    """
    for override in run.overrides:
        words = re.findall(r"\w+", override.partition("=")[0])
        if override.startswith("-") or "hydra" in words:
            raise InputError(f"resume={run.path}: {override} is no setting of a run: remove it")
        if _key(override) not in given and "allow_targets" not in words:
            yield override


def _resumed(arguments: list[str]) -> list[str]:
    """Put the overrides of the run to be resumed before those given now."""
    given = {_key(a): a for a in arguments if "=" in a}
    folder = given.get("resume", "").partition("=")[2]
    if folder in ("", "null", AUTO):
        return arguments
    return [*_kept(Run(folder), given), *arguments, f"hydra.run.dir={folder}"]


def openly(argument: str) -> str:
    """Let a dotted key reach constructor arguments that no yaml names.

    The config is checked against the constructors afterwards, so that a misspelt key is still
    refused.
    """
    key = argument.split("=", 1)[0]
    plain = key[:1].isalpha() and "." in key and "/" not in key and not key.startswith("hydra.")
    return f"++{argument}" if "=" in argument and plain else argument


def _refuse_used_folder(arguments: list[str]) -> None:
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


def prepared(main: Callable[[], object]) -> object:
    """Run Hydra's ``main`` on the prepared command line."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    _refuse_used_folder(arguments)
    sys.argv[1:] = [openly(a) for a in _resumed(arguments)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach the caller, who explains them
    return main()
