"""Files on disk: reading, checking and fetching them, with errors of one line."""

import hashlib
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import DataError

NETWORK_TIMEOUT = 10.0


@dataclass(frozen=True)
class PublishedFile:
    """A file of a published data set.

    Attributes:
        path: relative to `data.root`.
        md5: of the original, in hexadecimal.
    """

    path: str
    md5: str

    def compute_md5(self, root: Path) -> str:
        """The md5 of the file that is there."""
        path = root / self.path
        with wrap_read_errors(path), open(path, "rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()

    def check(self, root: Path) -> None:
        """Compares the md5.

        Raises:
            DataError: the file is not the published one.
        """
        path, found = root / self.path, self.compute_md5(root)
        if found != self.md5:
            raise DataError(
                f"{path}: its md5 {found} is not the published {self.md5}:"
                " delete it to download it again, or set data.verify=false to read it as it is"
            )


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks, or its class where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def wrap_read_errors(path: Path | str, remedy: str = "replace or delete it") -> Iterator[None]:
    """Turns whatever goes wrong while a file or folder is read into one line that names it."""
    try:
        yield
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(
            f"{path}: no permission to read it: grant it, or point data.root elsewhere"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found: point data.root to where the data lie") from error
    except Exception as error:  # decoders of broken files raise anything
        raise DataError(f"{path}: cannot be read ({one_line(error)}): {remedy}") from error


@contextmanager
def staged_download(name: str, root: Path, files: Iterable[PublishedFile]) -> Iterator[Path]:
    """A temporary folder inside `root` to download into.

    When the block has ended well, the files that arrived are checked and those that `root` lacks
    are renamed into it; whatever is cut short leaves nothing that could pass for a whole file.

    Raises:
        DataError: no network, no permission, no space, or a wrong checksum.
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
    except Exception as error:  # so do clients of a broken network
        raise DataError(
            f"{name} is not in {root} and cannot be downloaded ({one_line(error)}):"
            " copy its files there, or point data.root to where they are"
        ) from error
    finally:
        if new:
            _remove_empty(root)


def _install(folder: Path, root: Path, files: Iterable[PublishedFile]) -> None:
    arrived = [file for file in files if (folder / file.path).is_file()]
    for file in arrived:
        if file.compute_md5(folder) != file.md5:
            raise RuntimeError(f"{file.path} arrived with a wrong md5")
    for file in arrived:
        _move_if_absent(folder / file.path, root / file.path)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _move_if_absent(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.replace(source, target)


@contextmanager
def _network_timeout() -> Iterator[None]:
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)
