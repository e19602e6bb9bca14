"""Files of tensors that one run writes and later runs read."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan import archives
from gan.files import replacement

Content = dict[str, Any]
_CHECKSUM, _FILE = "sha256", "file"  # of the other entries; name of the file


def key(parts: Iterable[object]) -> str:
    """Return a short hash of everything that a cached value depends on, 16 hexadecimal digits."""
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()[:16]


def load(path: Path) -> Content | None:
    """Return the content of a file, or None for an absent, damaged, changed or foreign file."""
    if not path.exists():
        return None
    try:
        content = read(path)
    except archives.READ_ERRORS:
        content = {}
    if content.pop(_FILE, None) != path.name:
        print(f"{path} is damaged, or of an earlier version: it is computed again", flush=True)
        return None
    return content


def read(path: Path) -> Content:
    """Return the content of a file; with the entry "file" if its checksum is right.

    Files of earlier versions have neither.

    Raises:
        Exception: one of READ_ERRORS, for a changed file and any other.
    """
    content = archives.read(path)
    if not isinstance(content, dict):
        raise ValueError("it is no dictionary")
    checksum = content.pop(_CHECKSUM, None)
    if checksum is None:
        content.pop(_FILE, None)
    elif checksum != _checksum(content):
        raise ValueError("its checksum is wrong")
    return content


def save(path: Path, content: Content) -> None:
    """Write a file with its checksum, whole or not at all, so that several processes may."""
    named = {**content, _FILE: path.name}
    with replacement(path) as part:
        torch.save({**named, _CHECKSUM: _checksum(named)}, part)


def _checksum(content: Content) -> str:
    """Return the SHA-256 of names, types and values, hexadecimal."""
    sha = hashlib.sha256()
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{name}/{key}", value[key]) for key in sorted(value, key=str)]
        elif isinstance(value, list | tuple):
            waiting += [(f"{name}/{index}", inner) for index, inner in enumerate(value)]
        elif isinstance(value, Tensor):
            sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            flat = value.detach().cpu().contiguous().view(-1)
            sha.update(flat.view(torch.uint8).numpy().data)
        else:
            sha.update(f"{name} {value!r}".encode())
    return sha.hexdigest()
