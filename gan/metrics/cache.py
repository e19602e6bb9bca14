"""Files of tensors that a computation leaves behind for the next run."""

import hashlib
import os
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch

Content = dict[str, Any]

UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, BadZipFile)


def key(parts: Iterable[object]) -> str:
    """Short name of everything that a cached value depends on, 16 hexadecimal digits."""
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()[:16]


def load(path: Path) -> Content | None:
    """Content of a file, on the CPU, or None where it is absent, truncated or foreign."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE:
        return None
    return content if isinstance(content, dict) else None


def save(path: Path, content: Content) -> None:
    """Writes a file whole or not at all, so that a killed run leaves nothing half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        torch.save(content, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
