"""Locks between processes of one machine."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType


class Lock:
    """A lock on a file, freed by the operating system with the last process that holds it.

    A child that is given ``descriptor`` (``pass_fds``) holds it too: what a killed parent left
    running keeps its lock.

    Args:
        path: of the file, made where it is missing and never removed.
        pause: what to do between two tries; it may raise to give up.
    """

    def __init__(self, path: Path, pause: Callable[[], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.pause = pause
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def attempt(self) -> bool:
        """Take the lock if it is free, and return whether it was."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)

    def __enter__(self) -> "Lock":
        """Wait for it."""
        try:
            while not self.attempt():
                self.pause()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of it."""
        self.close()
