"""Files that are read without waiting, and written whole without following a link."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from gan.errors import InputError

_MAX_TEXT = 2**28  # bytes
_READ, _APPEND = os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT


def _open_regular(path: Path, flags: int) -> int:
    """Return the descriptor of a regular file; a pipe or a device would block or never end.

    Raises:
        InputError: if it is no regular file.
        OSError: if it cannot be opened.
    """
    fault = InputError(f"{path} is not a regular file: replace or delete it")
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a pipe without a reader
            raise fault from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise fault
    return descriptor


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading.

    Raises:
        InputError: if it is no regular file.
        OSError: if it cannot be opened.
    """
    return os.fdopen(_open_regular(path, _READ), "rb")


def read_text(path: Path) -> str:
    """Return the text of a regular file in UTF-8.

    Raises:
        InputError: if it is no regular file, or far too large.
        OSError: if it cannot be opened.
        ValueError: if it is no text.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > _MAX_TEXT:
            raise InputError(
                f"{path} has more than {_MAX_TEXT:,} bytes: it is none of this project"
            )
        return file.read().decode()


def open_to_append(path: Path) -> BinaryIO:
    """Open a regular file, new or old, to write at its end.

    Raises:
        InputError: if it is a link, or no regular file.
    """
    refuse_link(path)
    return os.fdopen(_open_regular(path, _APPEND | os.O_NOFOLLOW), "ab")


@contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """Yield the path of a new, empty file, which replaces ``path`` at the end of the context.

    ``path`` is written whole or not at all, by one of several processes. A link in its place is
    replaced, not followed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid4().hex[:12]}.part")
    try:
        part.touch(exist_ok=False)
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a new, empty folder, which is moved to ``path`` at the end of the context.

    ``path``, where nothing or an empty folder may be, is written whole or not at all.
    """
    target = path.resolve()
    part = target.with_name(f"{target.name}.{uuid4().hex[:12]}.part")
    try:
        part.mkdir(parents=True)
        yield part
        os.rename(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with replacement(path) as part:
        part.write_text(text, encoding="utf-8")


def refuse_link(path: Path) -> None:
    """Refuse to write through a link.

    Raises:
        InputError: if ``path`` is one.
    """
    if path.is_symlink():
        raise InputError(f"{path} is a link: nothing is written through it: replace or delete it")


def refuse_special_files(folder: Path) -> None:
    """Refuse a folder of a run or a sweep with pipes, devices, or links that lead out of it.

    Entries of the folder and of its subfolders are examined.

    Raises:
        InputError: with the first of them.
    """
    root = os.path.realpath(folder)
    for pattern in ("*", "*/*"):
        for path in sorted(folder.glob(pattern)):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                raise InputError(
                    f"{path} is a link out of {folder}: replace it by what it stands for, or "
                    "delete it"
                )
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise InputError(f"{path} is not a regular file: replace or delete it")
