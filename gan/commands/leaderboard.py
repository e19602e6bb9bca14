"""The leaderboard of a sweep."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from gan.errors import InputError
from gan.sweeps.leaderboard import Leaderboard


@dataclass
class LeaderboardOptions:
    """Settings of ``ganymede leaderboard``.

    Attributes:
        sweep: the folder of the sweep.
    """

    sweep: str = MISSING


def leaderboard(options: LeaderboardOptions) -> None:
    """Write and print the leaderboard of a sweep, of the jobs that it has so far."""
    board = Leaderboard.of(Path(options.sweep))
    if not board.rows:
        raise InputError(f"sweep={options.sweep}: no job.json below it: name the folder of a sweep")
    board.save()
    board.show()
