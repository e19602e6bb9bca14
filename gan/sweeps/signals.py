"""Signals on their way from a sweep to the training process of a job."""

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from gan.callbacks.signals import REQUEUE

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
INTERRUPTED = 130  # exit status after Ctrl-C
_ECHO = 1.0  # seconds in which the terminal and the sweep say the same thing twice
_PAUSE = 0.2  # seconds between two looks at something awaited


class StopError(Exception):
    """The process was asked to stop while it waited."""


class Relay:
    """Hears what the process is told and tells the training process, or the workers, below it.

    Ctrl-C stays what it is; every other signal becomes SIGUSR1, as a scheduler that signals all
    processes of a job has said SIGTERM to the training process already.

    Attributes:
        asked: the first signal, or ``None``.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}
        self._latest: dict[int, float] = {}

    @property
    def status(self) -> int:
        """Return the exit status of a process that was asked to stop."""
        return INTERRUPTED if self.asked == signal.SIGINT else REQUEUE

    def listen(self) -> None:
        """Hear signals from now on, where Python allows it: in the main thread."""
        if threading.current_thread() is threading.main_thread() and not self._before:
            self._before = {number: signal.signal(number, self._hear) for number in HEARD}

    def deafen(self) -> None:
        """Give the signals back, and forget."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before, self._latest, self.asked = {}, {}, None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal and hand it on."""
        now = time.monotonic()
        if now - self._latest.get(number, -_ECHO) < _ECHO:
            return
        self._latest[number] = now
        first, self.asked = self.asked is None, self.asked or number
        workers = multiprocessing.active_children()
        for worker in workers:
            os.kill(worker.pid or 0, number)
        if self._child is not None:
            self._child.send_signal(number if number == signal.SIGINT else signal.SIGUSR1)
        elif first and not workers and multiprocessing.parent_process() is None:
            raise SystemExit(self.status)

    def pause(self) -> None:
        """Wait a moment.

        Raises:
            StopError: if the process was asked to stop.
        """
        time.sleep(_PAUSE)
        if self.asked is not None:
            raise StopError

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        descriptors: Sequence[int],
    ) -> int:
        """Run a command in a session of its own, its output into ``log``, and return its status."""
        with log.open("ab") as output:
            # ignored by the child: a scheduler's last call to this process alone
            before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            self._child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=descriptors,
                start_new_session=True,
            )
            signal.signal(signal.SIGUSR2, before)
        try:
            status = self._child.wait()
        finally:
            self._clear(self._child)
            self._child = None
        return status

    def _clear(self, child: "subprocess.Popen[bytes]") -> None:
        """End what is left of the child: itself, and processes that it started."""
        if child.poll() != 0:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            child.wait()

    def depart(self) -> None:
        """Leave the process that was asked to stop, unless it is a worker of another.

        Who listened before hears of it: a launcher may put its job back into the queue.
        """
        if multiprocessing.parent_process() is not None or self.asked is None:
            return
        handler = self._before.get(self.asked)
        if self.asked != signal.SIGINT and callable(handler):
            handler(self.asked, None)
        raise SystemExit(self.status)


RELAY = Relay()
