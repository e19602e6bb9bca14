"""The command line, made ready for Hydra."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gan.commands.resume import AUTO, has_checkpoint
from gan.commands.run import Run
from gan.errors import InputError


def _key(argument: str) -> str:
    """Return what an argument sets."""
    return argument.split("=", 1)[0].lstrip("+~")


def _resumed(arguments: list[str]) -> list[str]:
    """Put the overrides of the run to be resumed before those given now."""
    given = {_key(a): a for a in arguments if "=" in a}
    folder = given.get("resume", "").partition("=")[2]
    if folder in ("", "null", AUTO):
        return arguments
    kept = [o for o in Run(folder).overrides if _key(o) not in given]
    return [*kept, *arguments, f"hydra.run.dir={folder}"]


def openly(argument: str) -> str:
    """Let a dotted key reach constructor arguments that no yaml names.

    The config is checked against the constructors afterwards, so that a misspelt key is still
    refused.
    """
    key = argument.split("=", 1)[0]
    plain = key[:1].isalpha() and "." in key and "/" not in key and not key.startswith("hydra.")
    return f"++{argument}" if "=" in argument and plain else argument


@contextmanager
def _kept_unless_resumed(arguments: list[str]) -> Iterator[None]:
    """Put the settings of a run back, over which Hydra wrote, where resuming it is refused."""
    given = dict(a.split("=", 1) for a in arguments if "=" in a)
    name = given.get("resume", "")
    folder = Path(given.get("hydra.run.dir", "") if name == AUTO else name)
    if "resume" not in given or not has_checkpoint(folder):
        yield
        return
    settings = {path: path.read_bytes() for path in folder.glob(".hydra/*.yaml")}
    checkpoints = {path: path.stat().st_mtime_ns for path in folder.glob("checkpoints/*.ckpt")}
    try:
        yield
    except (SystemExit, InputError):
        if all(path.stat().st_mtime_ns == time for path, time in checkpoints.items()):
            for path, content in settings.items():
                path.write_bytes(content)
        raise


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
    with _kept_unless_resumed(arguments):
        return main()
