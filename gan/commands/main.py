"""From the command line to an exit status."""

import os
import sys
from collections.abc import Callable
from typing import TypeVar

from omegaconf import MISSING, OmegaConf

from gan.commands.directions import DirectionsOptions, directions
from gan.commands.evaluate import EvaluateOptions, evaluate
from gan.commands.interpolate import InterpolateOptions, interpolate
from gan.commands.mix import MixOptions, mix
from gan.commands.models import ModelsOptions, models
from gan.commands.project import ProjectOptions, project
from gan.commands.report import ReportOptions, report
from gan.commands.sample import SampleOptions, sample
from gan.commands.traverse import TraverseOptions, traverse
from gan.commands.truncate import TruncateOptions, truncate
from gan.errors import DIVERGED, DivergedError, InputError
from gan.settings.errors import explain as explain
from gan.settings.validation import nearest
from gan.sweeps.leaderboard import LeaderboardOptions, leaderboard

Result = TypeVar("Result")
DEBUG = "--debug" in sys.argv or os.environ.get("HYDRA_FULL_ERROR") == "1"

COMMANDS: dict[str, tuple[type, Callable[..., None]]] = {
    "sample": (SampleOptions, sample),
    "evaluate": (EvaluateOptions, evaluate),
    "interpolate": (InterpolateOptions, interpolate),
    "traverse": (TraverseOptions, traverse),
    "mix": (MixOptions, mix),
    "truncate": (TruncateOptions, truncate),
    "directions": (DirectionsOptions, directions),
    "project": (ProjectOptions, project),
    "models": (ModelsOptions, models),
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
