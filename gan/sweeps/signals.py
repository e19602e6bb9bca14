"""Signals that a sweep receives and forwards to the training process of a job."""

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

from gan.errors import INTERRUPTED, REQUEUE
from gan.files import open_to_append

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_REPEAT = 1.0  # seconds in which a second signal of the same kind is ignored
_PAUSE = 0.2  # seconds between two checks while waiting


class StopError(Exception):
    """A signal asked the process to stop while it waited."""


class SignalForwarder:
    """Forwards the signals of this process to the training process, or to the workers, below it.

    SIGINT (Ctrl-C) is forwarded as it is. Every other signal becomes SIGUSR1, because a scheduler
    that signals all processes of a job has sent SIGTERM to the training process already. A terminal
    sends SIGINT to the sweep and its workers alike, so that a repeat within a second is ignored.

    Attributes:
        received: the first signal, or ``None``.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._handlers: dict[int, Any] = {}
        self._latest: dict[int, float] = {}

    @property
    def status(self) -> int:
        """Return the exit status of a process that a signal has stopped."""
        return INTERRUPTED if self.received == signal.SIGINT else REQUEUE

    def install(self) -> None:
        """Install the signal handlers, where Python allows it: in the main thread."""
        if threading.current_thread() is threading.main_thread() and not self._handlers:
            self._handlers = {number: signal.signal(number, self._handle) for number in FORWARDED}

    def restore(self) -> None:
        """Restore the signal handlers from before, and forget what was received."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers, self._latest, self.received = {}, {}, None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Store a signal and forward it."""
        now = time.monotonic()
        if now - self._latest.get(number, -_REPEAT) < _REPEAT:
            return
        self._latest[number] = now
        first, self.received = self.received is None, self.received or number
        workers = multiprocessing.active_children()
        for worker in workers:
            os.kill(worker.pid or 0, number)
        if self._child is not None:
            self._child.send_signal(number if number == signal.SIGINT else signal.SIGUSR1)
        elif first and not workers and multiprocessing.parent_process() is None:
            raise SystemExit(self.status)

    def wait(self) -> None:
        """Sleep for a moment.

        Raises:
            StopError: if a signal was received.
        """
        time.sleep(_PAUSE)
        if self.received is not None:
            raise StopError

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        descriptors: Sequence[int],
    ) -> int:
        """Run a command in a session of its own and return its exit status.

        Args:
            command: program and arguments.
            environment: of the process.
            log: file to which its output is appended.
            descriptors: open files that it inherits.
        """
        # The child ignores SIGUSR2, which a scheduler sends to this process alone.
        handler = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        self._child = _start(command, environment, log, descriptors)
        signal.signal(signal.SIGUSR2, handler)
        try:
            return self._child.wait()
        finally:
            self._kill(self._child)
            self._child = None

    def _kill(self, child: "subprocess.Popen[bytes]") -> None:
        """Kill what is left of the child's session after a failure."""
        if child.poll() != 0:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            child.wait()

    def exit_if_received(self) -> None:
        """Exit if a signal was received, unless this process is a worker of another.

        The handler from before is called first: a launcher may requeue its job there.
        """
        if multiprocessing.parent_process() is not None or self.received is None:
            return
        handler = self._handlers.get(self.received)
        if self.received != signal.SIGINT and callable(handler):
            handler(self.received, None)
        raise SystemExit(self.status)


def _start(
    command: Sequence[str], environment: Mapping[str, str], log: Path, descriptors: Sequence[int]
) -> "subprocess.Popen[bytes]":
    """Start a command in a session of its own, its output appended to a file."""
    with open_to_append(log) as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
            start_new_session=True,
        )


FORWARDER = SignalForwarder()
