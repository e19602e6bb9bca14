"""Locks between processes of one machine, and the lock of a run folder."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from gan.errors import InputError
from gan.files import refuse_link, refuse_special_files


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
        except BaseException:  # a signal too must not leave the descriptor open
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


def is_first_process() -> bool:
    """Return whether this is the first of the processes of a run."""
    by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ  # also beside SLURM, with ranks of its own
    ranks = ("RANK",) if by_torchrun else ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in ranks)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run folder against other runs; a killed process releases the lock.

    The first process of a run locks it for all processes of the run.

    Raises:
        InputError: if another process holds it, or a link in it leads out of it.
    """
    if not is_first_process():
        yield
        return
    refuse_special_files(folder)
    path = folder / ".hydra" / "lock"
    lock = Lock(path, pause=lambda: None)
    try:
        if not lock.acquire():
            raise InputError(
                f"{folder}: another process trains there: wait for its end, or choose another "
                "folder"
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held
    finally:
        lock.close()
