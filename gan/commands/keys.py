"""The settings of a command as they are written on the command line."""

from dataclasses import field, fields
from typing import Any

KEY = "key"  # of the metadata of a field


def dotted(key: str) -> Any:
    """Return a field, ``None`` by default, that is written as a dotted key.

    Args:
        key: such as ``data.root``.
    """
    return field(default=None, metadata={KEY: key})


def keys(kind: type) -> dict[str, str]:
    """Return the name of each field of a dataclass by its key on the command line."""
    return {f.metadata.get(KEY, f.name): f.name for f in fields(kind)}
