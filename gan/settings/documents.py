"""YAML files that are read whole, or refused before they take long or fail in a library."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from yaml.reader import ReaderError

from gan.errors import InputError
from gan.files import open_file
from gan.settings.groups import CONF

_MOST_BYTES = 4 * 2**20
_MOST_NODES = 100_000  # with aliases expanded


def _text(path: Path) -> str:
    """Return the text of a YAML file of moderate size.

    Raises:
        InputError: if it is no regular file.
        ValueError: if it is no text in UTF-8, or too large.
        YAMLError: if it is no YAML.
    """
    with open_file(path) as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error
    if _size(yaml.compose(text, Loader=yaml.SafeLoader)) > _MOST_NODES:
        raise ValueError(f"its aliases expand to more than {_MOST_NODES:,} values")
    return text


def _size(node: Any) -> int:
    """Return how many nodes a YAML document has once its aliases are expanded, up to a limit."""
    waiting, count = [node], 0
    while waiting and count <= _MOST_NODES:
        current = waiting.pop()
        count += 1
        if isinstance(current, yaml.MappingNode):
            waiting += [part for pair in current.value for part in pair]
        elif isinstance(current, yaml.SequenceNode):
            waiting += current.value
    return count


def read(path: Path) -> Any:
    """Return the plain content of a YAML file of a run folder.

    Raises:
        InputError: if it is no such file, or is made to be slow to read.
    """
    try:
        return OmegaConf.to_container(OmegaConf.create(_text(path)), resolve=False)
    except Exception as error:  # a broken file fails in any way
        raise InputError(
            f"{path} holds no settings of a run: copy it again, or start another run"
        ) from error


def _configs(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files of a folder of configs that Hydra may read here."""
    yield from folder.glob(f"{name}.yaml")
    for group in sorted(path.name for path in CONF.iterdir() if path.is_dir()):
        yield from sorted(folder.glob(f"{group}/*.yaml"))
        yield from sorted(folder.glob(f"{group}/*/*.yaml"))


def check_configs(folder: Path, name: str) -> None:
    """Refuse a folder of configs with a file that Hydra misreads or fails on.

    Args:
        folder: of ``--config-dir``.
        name: of the primary config.

    Raises:
        InputError: with the file and its fault.
    """
    for path in _configs(folder, name):
        with open_file(path) as file:
            if file.read(3) == b"\xef\xbb\xbf":
                raise InputError(
                    f"{path}: it begins with a byte-order mark: save it as UTF-8 without one"
                )
        try:
            content = yaml.safe_load(_text(path))
        except (ValueError, RecursionError, ReaderError) as error:
            raise InputError(f"{path}: {error}: correct it, or move it away") from error
        _check_mapping(path, content)


def _check_mapping(path: Path, content: Any) -> None:
    """Refuse a config that is no mapping of names, or whose defaults are no list."""
    if content is not None and not isinstance(content, dict):
        raise InputError(f"{path}: it is no mapping: write KEY: VALUE on each line")
    for key in content or ():
        if not isinstance(key, str):
            raise InputError(f"{path}: the key {key} is no text: write it in quotes")
    defaults = (content or {}).get("defaults", [])
    if not isinstance(defaults, Sequence) or isinstance(defaults, str):
        raise InputError(f"{path}: defaults: give a list, one '- GROUP: OPTION' on each line")
