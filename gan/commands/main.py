"""From the command line to an exit status."""

import os
import sys
from collections.abc import Callable

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from gan.errors import InputError


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return the error and its causes, outermost first."""
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def explain(error: BaseException) -> str | None:
    """Return the one line for bad input, or ``None`` for a fault of the program.

    Errors about input are this package's, those of the data (a ``ValueError`` by the name of
    ``DataError``), refusals of a constructor that Hydra called, and Hydra's own.
    """
    chain = _chain(error)
    for cause in chain:
        if isinstance(cause, InputError) or type(cause).__name__ == "DataError":
            return " ".join(str(cause).split())
    if isinstance(error, HydraException | OmegaConfBaseException):
        inner = [c for c in chain if isinstance(c, ValueError | OmegaConfBaseException)]
        return " ".join(str(inner[-1] if inner else error).split())
    return None


def guarded(command: Callable[[], object], argv: list[str]) -> int:
    """Run ``command``; bad input becomes one line and status 2.

    ``--debug`` among ``argv`` or ``HYDRA_FULL_ERROR=1`` shows the traceback.
    """
    debug = "--debug" in argv or os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        command()
    except Exception as error:  # every fault is either explained or raised again
        line = explain(error)
        if debug or line is None:
            raise
        print(f"ganymede: {line}", file=sys.stderr)
        return 2
    return 0
