"""Errors of a command as one line and an exit status."""

import os
import sys
from collections.abc import Callable
from typing import TypeVar

from gan.errors import DIVERGED, REFUSED, DivergedError
from gan.settings.errors import explain

Result = TypeVar("Result")
DEBUG = "--debug" in sys.argv or os.environ.get("HYDRA_FULL_ERROR") == "1"


def report_errors(command: Callable[[], Result]) -> Result:
    """Return what ``command`` returns; print an error about input as one line and exit.

    ``--debug`` on the command line or ``HYDRA_FULL_ERROR=1`` shows the traceback.

    Raises:
        SystemExit: with status 2 on bad input, 3 if a run diverged.
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
        raise SystemExit(REFUSED) from None
