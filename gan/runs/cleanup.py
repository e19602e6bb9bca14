"""What a refused command leaves behind: nothing."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gan.runs.resume import AUTO

REFUSED = 2  # exit status of bad input
_DEFAULT = "runs"  # where Hydra makes a folder when it is told of none


class Footprint:
    """Takes away what Hydra wrote for a run that was refused, and puts back what it wrote over.

    A run that has trained keeps everything.

    Args:
        arguments: the command line.

    Attributes:
        folder: of the run, once it is known.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        given = dict(a.split("=", 1) for a in arguments if "=" in a)
        resumed = given.get("resume", AUTO)
        named = given.get("hydra.run.dir") if resumed in (AUTO, "null", "") else resumed
        self.folder = Path(named).absolute() if named else None
        place = self.folder or Path(_DEFAULT).absolute()
        settings = place / ".hydra"
        self._before = {p for p in (settings, place, *place.parents) if p.exists()}
        self._settings = {path: path.read_bytes() for path in settings.glob("*.yaml")}
        self._work = self._worked(place)

    def __enter__(self) -> "Footprint":
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Undo what a refused run did to the disk."""
        refused = isinstance(error, SystemExit) and error.code == REFUSED
        if refused and self.folder is not None and self._worked(self.folder) == self._work:
            self._undo(self.folder)

    @staticmethod
    def _worked(folder: Path) -> dict[Path, int]:
        """Return when the traces of training in a folder were written."""
        traces = [*folder.glob("checkpoints/*.ckpt"), folder / "metrics.csv"]
        return {path: path.stat().st_mtime_ns for path in traces if path.exists()}

    def _undo(self, folder: Path) -> None:
        """Put the folder back as it was."""
        for path, content in self._settings.items():
            if path.read_bytes() != content:
                path.write_bytes(content)
        for made in (folder, folder / ".hydra"):
            if made not in self._before:
                shutil.rmtree(made, ignore_errors=True)
        for parent in folder.parents:
            if parent in self._before:
                break
            with suppress(OSError):
                parent.rmdir()
