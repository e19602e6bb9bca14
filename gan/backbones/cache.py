"""Files of tensors that one run writes and later runs read."""

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

# Errors of `read` for a truncated or foreign file.
READ_ERRORS = (
    *(OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, BadZipFile),
    *(LookupError, TypeError, AttributeError, AssertionError, MemoryError, struct.error),
)


def key(parts: Iterable[object]) -> str:
    """Return a short hash of everything that a cached value depends on, 16 hexadecimal digits."""
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()[:16]


def read(path: Path) -> Any:
    """Return the content of a file of tensors, on the CPU; no code of a pickle is run.

    Raises:
        Exception: one of READ_ERRORS, for any other file.
    """
    with warnings.catch_warnings(action="ignore"):
        return torch.load(path, map_location="cpu", weights_only=True)


def load(path: Path) -> Content | None:
    """Return the content of a file, or None for an absent, truncated or foreign file."""
    if not path.exists():
        return None
    try:
        content = read(path)
    except READ_ERRORS:
        content = None
    if not isinstance(content, dict):
        print(f"{path} is damaged: it is computed again", flush=True)
        return None
    return content


def save(path: Path, content: Content) -> None:
    """Write a file atomically, so that a killed run leaves no partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        torch.save(content, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
