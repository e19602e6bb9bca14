"""The start and the end of a sweep: its folder and its leaderboard."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write

from gan.errors import DIVERGED
from gan.sweeps.job import State
from gan.sweeps.leaderboard import Leaderboard
from gan.sweeps.signals import FORWARDER


class Sweep(Callback):
    """Print the folder of a sweep, and store it for :func:`write_leaderboard`.

    Attributes:
        folder: of the sweep that runs in this process.
    """

    folder: ClassVar[Path | None] = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Fix the folder of the sweep for all processes that compose its jobs."""
        folder = Path(config.hydra.sweep.dir)
        Sweep.folder = folder
        with read_write(config.hydra):
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{folder}'")
        print(
            f"sweep folder: {folder}\n"
            f"the same command with hydra.sweep.dir={folder} runs what is missing",
            flush=True,
        )
        FORWARDER.install()


@contextmanager
def write_leaderboard() -> Iterator[None]:
    """Write the leaderboard of the sweep that runs inside, if one does, however it ends.

    Raises:
        SystemExit: with status 1 if a job failed, 3 if every job diverged, 75 if the sweep was
            preempted, 130 after Ctrl-C.
    """
    Sweep.folder = None
    try:
        yield
    finally:
        received, status = FORWARDER.received, FORWARDER.status
        FORWARDER.restore()
        board = Leaderboard.of(Sweep.folder) if Sweep.folder is not None else None
        if board is not None and board.rows:
            board.save()
            board.show()
    if received is not None:
        raise SystemExit(status)
    states = {row.outcome.state for row in board.rows} if board is not None else set[State]()
    if State.FAILED in states:
        sys.exit(1)
    if states == {State.DIVERGED}:
        sys.exit(DIVERGED)
