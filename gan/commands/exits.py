"""Errors and signals that end a command: one line and an exit status."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from gan.errors import DIVERGED, INTERRUPTED, REFUSED, REQUEUE, DivergedError, printable
from gan.settings.errors import explain

Result = TypeVar("Result")
_PREEMPTED: list[int] = []  # exit statuses of signals before training
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
        print(f"ganymede: {printable(str(error))}", file=sys.stderr)
        raise SystemExit(DIVERGED) from None
    except Exception as error:  # every fault is either explained or raised again
        if _PREEMPTED:  # a library has made an error of the exit
            raise SystemExit(_PREEMPTED[0]) from None
        line = explain(error)
        if DEBUG or line is None:
            raise
        print(f"ganymede: {printable(line)}", file=sys.stderr)
        raise SystemExit(REFUSED) from None


@contextmanager
def exit_on_preemption() -> Iterator[None]:
    """End the process on a signal inside the context, without a traceback.

    SIGTERM and SIGUSR1 give the status for a requeue, SIGINT (Ctrl-C) that of an interruption. A
    run in training replaces the handlers by those that write a checkpoint first.
    """

    def leave(number: int, frame: object) -> None:
        _PREEMPTED.append(INTERRUPTED if number == signal.SIGINT else REQUEUE)
        line = f"ganymede: stopped by {signal.Signals(number).name} outside the training steps\n"
        os.write(2, line.encode())  # a handler may interrupt a print
        raise SystemExit(_PREEMPTED[0])

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        _PREEMPTED.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
