"""Removal of what a refused command has written."""

import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gan.errors import REFUSED

_DEFAULT = "runs"  # where Hydra makes a folder by default


class Cleanup:
    """Removes what Hydra wrote for a refused run, and restores the files that it replaced.

    A run that has trained keeps everything.

    Args:
        folder: of the run, if it is known.

    Attributes:
        folder: the run folder, once it is known.
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = Path(folder).absolute() if folder else None
        place = self.folder or Path(_DEFAULT).absolute()
        settings = place / ".hydra"
        self._existing = {p for p in (settings, place, *place.parents) if p.exists()}
        self._settings = {path: path.read_bytes() for path in settings.glob("*.yaml")}
        self._trained = self._training_files(place)

    def __enter__(self) -> "Cleanup":
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the disk after a refused run."""
        refused = isinstance(error, SystemExit) and error.code == REFUSED
        if not refused or self.folder is None:
            return
        if self._training_files(self.folder) == self._trained:
            self._restore(self.folder)

    @staticmethod
    def _training_files(folder: Path) -> dict[Path, int]:
        """Return the files that training writes, with their times of modification."""
        files = [*folder.glob("checkpoints/*.ckpt"), folder / "metrics.csv"]
        return {path: path.stat().st_mtime_ns for path in files if path.exists()}

    def _restore(self, folder: Path) -> None:
        """Write back the old settings and remove new folders."""
        for path, content in self._settings.items():
            if path.read_bytes() != content:
                path.write_bytes(content)
        for made in (folder, folder / ".hydra"):
            if made not in self._existing:
                shutil.rmtree(made, ignore_errors=True)
        for parent in folder.parents:
            if parent in self._existing:
                break
            with suppress(OSError):
                parent.rmdir()
