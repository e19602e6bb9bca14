"""The folder of what one run computes for the next: classifier weights, statistics."""

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile

from gan.errors import InputError

_VARIABLE = "GANYMEDE_CACHE"


def cache_folder() -> Path:
    """Return the folder by default: ``$GANYMEDE_CACHE``, or one below the home folder.

    Raises:
        InputError: if there is no home folder.
    """
    named = os.environ.get(_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("HOME")
    if not home:
        raise InputError(f"there is no HOME for a cache: give cache_dir=DIR, or set {_VARIABLE}")
    return Path(home, ".cache", "ganymede").absolute()


def check_writable(folder: Path) -> None:
    """Refuse a folder in which nothing can be written; one that is missing is not made.

    Raises:
        InputError: with the reason.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        reason = os.strerror(errno.ENOTDIR)
    else:
        try:
            with TemporaryFile(dir=existing):
                return
        except OSError as error:
            reason = error.strerror or os.strerror(errno.EACCES)
    raise InputError(
        f"{folder}: {reason}: it is for caches: give another by cache_dir=DIR or {_VARIABLE}"
    )
