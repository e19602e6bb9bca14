"""YAML files that are read whole, or refused before they take long or fail in a library."""

import copy
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf
from yaml.reader import ReaderError

from gan.errors import InputError
from gan.files import open_file
from gan.settings.groups import CONF

MOST_BYTES = 4 * 2**20
_PARSED: dict[tuple[Path, int], ConfigResult] = {}
_MOST_NODES = 100_000  # with aliases expanded
_FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of libyaml, where it is there


def _parse(path: Path, kind: Any = yaml.SafeLoader) -> tuple[str, yaml.Node | None]:
    """Return the text of a YAML file of moderate size, and its syntax tree.

    Args:
        path: of the file.
        kind: class of the loader that reads it.

    Raises:
        InputError: if it is no regular file.
        ValueError: if it is no text in UTF-8, or too large.
        YAMLError: if it is no YAML.
    """
    with open_file(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error
    loader = kind(text)
    loader.name = str(path)  # for messages
    tree = loader.get_single_node()
    if _size(tree) > _MOST_NODES:
        raise ValueError(f"its aliases expand to more than {_MOST_NODES:,} values")
    return text, tree


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
        return OmegaConf.to_container(OmegaConf.create(_parse(path)[0]), resolve=False)
    except Exception as error:  # a broken file fails in any way
        raise InputError(
            f"{path} holds no settings of a run: copy it again, or start another run"
        ) from error


def read_fast(path: Path) -> Any:
    """Return the plain content of a YAML file of a run folder, to be shown and not to be built.

    It takes a twentieth of the time of :func:`read`. Numbers that YAML 1.1 does not know, such as
    1e-5, stay texts.

    Raises:
        InputError: if it is no such file, or is made to be slow to read.
    """
    try:
        tree = _parse(path, _FAST_LOADER)[1]
        return None if tree is None else yaml.SafeLoader("").construct_document(tree)
    except Exception as error:  # a broken file fails in any way
        raise InputError(
            f"{path} holds no settings of a run: copy it again, or start another run"
        ) from error


def check_config(path: Path) -> None:
    """Refuse a config file that Hydra misreads or fails on.

    Raises:
        InputError: with the file and its fault.
    """
    with open_file(path) as file:
        if file.read(len(BOM_UTF8)) == BOM_UTF8:
            raise InputError(
                f"{path}: it begins with a byte-order mark: save it as UTF-8 without one"
            )
    try:
        _, tree = _parse(path)
        content = None if tree is None else yaml.SafeLoader("").construct_document(tree)
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


class FileConfigSource(file_config_source.FileConfigSource):
    """Folders of configs, as Hydra reads them, whose files are checked before they are loaded.

    Hydra knows a source by the name of its class, which is that of its own.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        """Return a config of the folder.

        Raises:
            InputError: if Hydra would misread it, or fail on it.
        """
        path = Path(self.path, self._normalize_file_name(config_path))
        if not path.is_file():
            return super().load_config(config_path)
        if path.is_relative_to(CONF):
            return self._load_once(config_path, path)
        check_config(path)
        return super().load_config(config_path)

    def _load_once(self, config_path: str, path: Path) -> ConfigResult:
        """Return a copy of a config of this project, whose file is parsed once a process."""
        key = (path, path.stat().st_mtime_ns)
        if key not in _PARSED:
            _PARSED[key] = super().load_config(config_path)
        return copy.deepcopy(_PARSED[key])


def register() -> None:
    """Let Hydra read config files by :class:`FileConfigSource`."""
    Plugins.instance()  # registers Hydra's own first
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource
