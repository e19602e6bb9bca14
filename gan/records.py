"""Records of a run in JSON files."""

import json
import os
from pathlib import Path
from typing import Any

from gan.errors import InputError, printable
from gan.files import read_text, write_text
from gan.structure import check


def read(path: Path, expected: Any, meaning: str) -> Any:
    """Return the content of a JSON file, or ``None`` if there is no file.

    Args:
        path: of the file.
        expected: structure of the content, see :func:`gan.structure.check`.
        meaning: of the file, for the message.

    Raises:
        InputError: if the file holds something else.
    """
    if not os.path.lexists(path):
        return None
    try:
        content = _printable(json.loads(read_text(path)))
        check(content, expected, path.name)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no {meaning} ({error}): move it away") from error
    return content


def _printable(value: Any) -> Any:
    """Return plain values without control characters in their texts."""
    if isinstance(value, dict):
        return {printable(key): _printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return printable(value) if isinstance(value, str) else value


def write(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")
