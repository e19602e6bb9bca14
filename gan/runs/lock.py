"""Locks between processes of one machine."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from gan.files import refuse_link


class Lock:
    """A lock on a file, which the operating system releases with the last process that holds it.

    A child process that inherits ``descriptor`` (``pass_fds``) holds the lock too, even after its
    parent was killed.

    Args:
        path: of the file, created if it is missing and never removed.
        pause: called between two attempts; it may raise an exception to stop waiting.

    Raises:
        InputError: if the file is a link.
    """

    def __init__(self, path: Path, pause: Callable[[], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.pause = pause
        refuse_link(path)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def acquire(self) -> bool:
        """Take the lock if it is free, and return whether it was free."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Release the lock."""
        os.close(self.descriptor)

    def __enter__(self) -> "Lock":
        """Wait for the lock."""
        try:
            while not self.acquire():
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
        """Release the lock."""
        self.close()
