"""Removal of what a refused command has written."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gan.errors import REFUSED
from gan.files import replacement
from gan.settings.documents import MOST_BYTES
from gan.settings.start import run_start
from gan.settings.stored import FILES


def _is_plain(path: Path) -> bool:
    """Return whether a path is a regular file of moderate size, not a link to one."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST_BYTES


class Cleanup:
    """Removes what a refused run wrote, and restores the settings that it replaced.

    A run that has trained keeps everything. Files of others are never removed: a folder that was
    there before, or may have been, loses the settings of the refused run alone.

    Args:
        folder: of the run, if the command line names it.

    Attributes:
        folder: of the run, absolute and without links, once it is known.
        owned: the run has written its settings there, under its lock.
    """

    def __init__(self, folder: str | None) -> None:
        self._named = Path(folder).resolve() if folder else None
        self.folder, self.owned = self._named, False
        places = [self._named, *self._named.parents] if self._named else []
        self._existing = {place for place in places if place.exists()}
        before = self._named / ".hydra" if self._named else Path()
        paths = [before / name for name in FILES] if self._named else []
        self._settings = {path: path.read_bytes() for path in paths if _is_plain(path)}
        self._foreign = {path for path in paths if os.path.lexists(path) and not _is_plain(path)}
        self._trained = self._training_files(self._named)

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
        if refused and self.folder is not None:
            folder = self.folder.resolve()
            before = self._trained if folder == self._named else {}
            if self._training_files(folder) == before:
                self._restore(folder)

    @staticmethod
    def _training_files(folder: Path | None) -> dict[Path, int]:
        """Return the files that training writes, with their times of modification."""
        if folder is None:
            return {}
        files = [*folder.glob("checkpoints/*.ckpt"), folder / "metrics.csv"]
        return {path: path.stat().st_mtime_ns for path in files if path.exists()}

    def _restore_file(self, path: Path) -> None:
        """Write back the content from before, if it was replaced, or remove a new file."""
        content = self._settings.get(path)
        if content is None:
            path.unlink(missing_ok=True)
        elif not _is_plain(path) or path.read_bytes() != content:
            with replacement(path) as part:
                part.write_bytes(content)

    def _is_new(self, folder: Path) -> bool:
        """Return whether the folder was certainly not there before this command."""
        if folder == self._named:
            return folder not in self._existing
        return folder.name.endswith(f"-{run_start()[1]}")

    def _restore(self, folder: Path) -> None:
        """Write back the old settings; remove a new folder, or else the new settings."""
        if not self.owned:
            pass
        elif self._is_new(folder):
            shutil.rmtree(folder, ignore_errors=True)
        elif folder == self._named:
            for path in (folder / ".hydra" / name for name in FILES):
                if path not in self._foreign:
                    self._restore_file(path)
        for place in (folder / ".hydra", folder, *folder.parents):
            if place in self._existing:
                break
            with suppress(OSError):  # there is something in it
                place.rmdir()
