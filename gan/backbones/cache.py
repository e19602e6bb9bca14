"""Files of tensors that a computation leaves behind for the next run."""

import hashlib
import os
import pickle
import struct
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch

Content = dict[str, Any]

UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, BadZipFile),
    *(LookupError, TypeError, AttributeError, AssertionError, MemoryError, struct.error),
)


def key(parts: Iterable[object]) -> str:
    """Short name of everything that a cached value depends on, 16 hexadecimal digits."""
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()[:16]


def read(path: Path) -> Any:
    """What a file of tensors holds, on the CPU; code that a pickle may hold is not run.

    Raises:
        Exception: of UNREADABLE, where it is no such file.
    """
    with warnings.catch_warnings(action="ignore"):
        return torch.load(path, map_location="cpu", weights_only=True)


def load(path: Path) -> Content | None:
    """Content of a file, or None where it is absent, truncated or foreign."""
    if not path.exists():
        return None
    try:
        content = read(path)
    except UNREADABLE:
        content = None
    if not isinstance(content, dict):
        print(f"{path} is damaged: made anew", flush=True)
        return None
    return content


def save(path: Path, content: Content) -> None:
    """Writes a file whole or not at all, so that a killed run leaves nothing half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        torch.save(content, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
