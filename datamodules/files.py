"""Files of published data sets: checksums, downloads and read errors."""

import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from datamodules.errors import DataError

NETWORK_TIMEOUT = 10.0


def _open_without_blocking(name: str, flags: int) -> int:
    """Return the descriptor of a file, at once even if it is a pipe."""
    return os.open(name, flags | os.O_NONBLOCK)


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading; a pipe or a device would block or never end.

    Raises:
        DataError: if it is no regular file.
        OSError: if it cannot be opened.
    """
    file = open(path, "rb", opener=_open_without_blocking)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DataError(f"{path}: is not a regular file: replace or delete it")
    return file


@dataclass(frozen=True)
class PublishedFile:
    """A file of a published data set.

    Attributes:
        path: path relative to `data.root`.
        md5: MD5 of the published file, in hexadecimal; None if that of its archive alone is known.
    """

    path: str
    md5: str | None = None

    def compute_md5(self, root: Path) -> str:
        """Return the MD5 of the file in the folder `root`."""
        path = root / self.path
        with wrap_read_errors(path), open_file(path) as file:
            return hashlib.file_digest(file, "md5").hexdigest()

    def check(self, root: Path) -> None:
        """Compare the MD5 of the file with the published one, if it is known.

        Raises:
            DataError: if they differ.
        """
        if self.md5 is None:
            return
        path, md5 = root / self.path, self.compute_md5(root)
        if md5 != self.md5:
            raise DataError(
                f"{path}: its md5 {md5} is not the published {self.md5}:"
                " delete it to download it again, or set data.verify=false to read it as it is"
            )


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, or the name of its class if it is empty."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def wrap_read_errors(path: Path | str, remedy: str = "replace or delete it") -> Iterator[None]:
    """Raise any error in the context as a DataError of one line that names the path."""
    try:
        yield
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(
            f"{path}: no permission to read it: grant it, or point data.root elsewhere"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found: point data.root to the folder of the data") from error
    except Exception as error:  # decoders raise errors of any class on broken files
        raise DataError(f"{path}: cannot be read ({one_line(error)}): {remedy}") from error


@contextmanager
def staged_download(name: str, root: Path, files: Iterable[PublishedFile]) -> Iterator[Path]:
    """Yield a temporary folder inside `root` for downloads.

    At the end of the context, the downloaded files are checked, and those missing in `root` are
    moved there. An interrupted download leaves no incomplete file in `root`.

    Raises:
        DataError: without network, permission or space, or on a wrong checksum.
    """
    new = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".download-", dir=root) as name_,
            _network_timeout(),
        ):
            yield Path(name_)
            _install(Path(name_), root, files)
    except PermissionError as error:
        raise DataError(
            f"{root}: no permission to write {name} there: grant it, or point data.root elsewhere"
        ) from error
    except Exception as error:  # download clients raise errors of any class
        raise DataError(
            f"{name} is not in {root} and cannot be downloaded ({one_line(error)}):"
            " copy its files there, or point data.root to where they are"
        ) from error
    finally:
        if new:
            _remove_empty(root)


def _install(folder: Path, root: Path, files: Iterable[PublishedFile]) -> None:
    """Check the downloaded files and move them from `folder` to `root`."""
    arrived = [file for file in files if (folder / file.path).is_file()]
    for file in arrived:
        if file.md5 is not None and file.compute_md5(folder) != file.md5:
            raise RuntimeError(f"{file.path} has a wrong md5")
    for file in arrived:
        _move_if_absent(folder / file.path, root / file.path)


def _remove_empty(folder: Path) -> None:
    """Remove a folder if it is empty."""
    with suppress(OSError):
        folder.rmdir()


def _move_if_absent(source: Path, target: Path) -> None:
    """Move a file to `target` unless that exists."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.replace(source, target)


@contextmanager
def _network_timeout() -> Iterator[None]:
    """Set the default timeout of sockets inside the context."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)
