"""The run folders that a pattern names."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from gan.runs.folder import holds_run

_JOB = "job.json"  # of a job of a sweep, which may have failed before its run began


def is_run(folder: Path) -> bool:
    """Return whether a run was started in a folder, or a job of a sweep that failed before."""
    return holds_run(folder) or (folder / _JOB).exists()


def find_runs(pattern: str) -> list[Path]:
    """Return the run folders that a pattern names, or that lie below the folders it names.

    Links to folders are followed if the pattern names them, not below. A folder that the pattern
    names is returned too if nothing in it is a run.

    Args:
        pattern: of run folders, of sweeps, or of folders of either; or the name of one, whatever
            characters it has.
    """
    names = [pattern] if Path(pattern).exists() else glob.glob(pattern)
    named = sorted(map(Path, names))
    found = (run for folder in named if folder.is_dir() for run in _runs_of(folder))
    return list(dict.fromkeys(found))


def _runs_of(folder: Path) -> list[Path]:
    """Return the runs in a folder, or the folder itself if it is a run or has none."""
    return sorted(_below(folder)) or [folder]


def _below(folder: Path) -> Iterator[Path]:
    """Yield the outermost runs of a folder."""
    for place, names, _ in os.walk(folder):
        if is_run(Path(place)):
            names.clear()
            yield Path(place)
