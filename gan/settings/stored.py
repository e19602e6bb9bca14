"""Settings as a run stores them, and as a later command reads them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan.errors import InputError
from gan.files import refuse_special_files, write_text
from gan.settings import documents, resolvers
from gan.settings.migration import migrate_config, migrate_overrides
from gan.settings.overrides import chosen
from gan.settings.resolvers import COMPUTED
from gan.settings.schema import NESTED

_LENGTH = re.compile(r"\$\{(product|quotient|interval):[^:]*\}")  # of the length of the run
# Keys that say where something is written; a run writes below its own folder alone.
_FOLDERS = ("folder", "save_dir", "journal")
_PURE = ("product", "quotient", "largest", "by_size", "interval", "oc.select")  # of settings alone
EXPRESSIONS = "expressions.yaml"
OVERRIDES, CHOICES = "overrides.yaml", "choices.yaml"
FILES = ("config.yaml", OVERRIDES, EXPRESSIONS, CHOICES)  # of the folder .hydra


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each plain value of plain settings with its dotted path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}[{index}]")
    else:
        yield path, node


def resolve(config: DictConfig) -> dict[str, str]:
    """Replace what resolvers compute by its value, in place; references to other nodes stay.

    Returns:
        The expressions that depend on the length of the run, by dotted path.
    """
    expressions, values = {}, {}
    for path, raw in _leaves(OmegaConf.to_container(config, resolve=False)):
        if isinstance(raw, str) and COMPUTED.search(raw):
            values[path] = OmegaConf.select(config, path)
            if _LENGTH.fullmatch(raw) and "steps" in raw:
                expressions[path] = raw
    for path, value in values.items():
        OmegaConf.update(config, path, value)
    return expressions


def save(
    folder: Path,
    config: DictConfig,
    arguments: Sequence[str],
    expressions: Mapping[str, str] = MappingProxyType({}),
    choices: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the settings of a run, resolved, to its ``.hydra`` folder.

    Args:
        folder: of the run.
        config: its settings; computed values are replaced in place.
        arguments: its overrides.
        expressions: behind values that were computed before, by dotted path.
        choices: option of each group.

    Raises:
        InputError: if a link in the folder leads out of it.
    """
    refuse_special_files(folder)
    contents = {
        EXPRESSIONS: OmegaConf.create({"expressions": {**expressions, **resolve(config)}}),
        "config.yaml": config,
        OVERRIDES: OmegaConf.create(list(arguments)),
        CHOICES: OmegaConf.create(dict(choices)),
    }
    for name, content in contents.items():
        write_text(folder / ".hydra" / name, OmegaConf.to_yaml(content))


def load(folder: Path, cache_dir: str) -> tuple[DictConfig, dict[str, str]]:
    """Return the stored settings of a run, and the expressions behind its computed values.

    Where the run is, and where caches are, is never taken from the folder; nor is trust in classes
    of other packages.

    Args:
        folder: of the run.
        cache_dir: of this user.

    Raises:
        InputError: if it is no run folder, or would write elsewhere.
    """
    path = folder / ".hydra" / "config.yaml"
    config = revive(path, folder, documents.read(path), cache_dir)
    return config, resolve(config) | _expressions(folder)


def revive(path: Path, folder: Path, content: Any, cache_dir: str) -> DictConfig:
    """Return the settings of a folder from the content of their file; see :func:`load`.

    Args:
        path: of the file, for messages.
        folder: of the run.
        content: of the file.
        cache_dir: of this user.

    Raises:
        InputError: if it is no config of a run, or would write elsewhere.
    """
    resolvers.register()
    if not isinstance(content, dict) or not content.keys() >= {"model", "data", "metrics"}:
        raise InputError(f"{path} is no config of a run: name the folder of one")
    place = {"run_dir": str(folder.absolute()), "cache_dir": cache_dir}
    content = {"trainer": {}, **content, **place, "allow_targets": [], "resume": None}
    content.pop("hydra", None)
    config = migrate_config(OmegaConf.create(content))
    _check_expressions(path, config)
    try:
        _set_data_caches(config)
        _check_folders(path, OmegaConf.to_container(config, resolve=True))
    except OmegaConfBaseException as error:
        raise InputError(f"{path}: a value refers to a setting that is not there") from error
    return config


def _set_data_caches(config: DictConfig) -> None:
    """Let decoded images be where the caches of this user are, if they are kept at all."""
    for path in ("data", *NESTED):
        node = OmegaConf.select(config, path)
        if isinstance(node, DictConfig) and node.get("cache") not in (None, config.cache_dir):
            node.cache = "${cache_dir}"


def _check_expressions(path: Path, config: DictConfig) -> None:
    """Refuse resolvers that read anything but the settings themselves."""
    for key, raw in _leaves(OmegaConf.to_container(config, resolve=False)):
        for name in re.findall(r"\$\{([\w.]+):", raw) if isinstance(raw, str) else ():
            if name not in _PURE:
                raise InputError(f"{path}: {key} computes {name}: write its value there")


def _check_folders(path: Path, content: Any) -> None:
    """Refuse settings that would write outside of the run folder or the cache."""
    inside = Path(content["run_dir"])
    for key, value in _leaves({k: content.get(k) for k in ("callbacks", "doctor", "logger")}):
        if key.rpartition(".")[2] in _FOLDERS and isinstance(value, str):
            place = Path(value)
            if not place.is_relative_to(inside) or ".." in place.parts:
                raise InputError(f"{path}: {key}={value} is outside the run folder: remove it")
    for key, value in _leaves({k: content.get(k) for k in ("backbone", "evaluation")}):
        if key.rpartition(".")[2] == "cache" and value != content["cache_dir"]:
            raise InputError(f"{path}: {key}={value} is not the cache_dir of this user: remove it")


def _expressions(folder: Path) -> dict[str, str]:
    """Return the stored expressions that depend on the length of the run."""
    path = folder / ".hydra" / EXPRESSIONS
    if not path.exists():
        return {}
    content = documents.read(path)
    stored = content.get("expressions") if isinstance(content, dict) else None
    if not isinstance(stored, dict):
        raise InputError(f"{path} holds no expressions: copy it again, or remove it")
    return {str(k): v for k, v in stored.items() if isinstance(v, str) and _LENGTH.fullmatch(v)}


def arguments(folder: Path) -> list[str]:
    """Return the command line that a run was made with, under the names of today.

    Raises:
        InputError: if it cannot be read.
    """
    path = folder / ".hydra" / OVERRIDES
    content = documents.read(path)
    if not isinstance(content, list):
        raise InputError(f"{path} is no list: copy it again")
    return migrate_overrides(str(override) for override in content)


def choices(folder: Path) -> dict[str, str]:
    """Return the option of each group that a run was made with.

    Of a run of an earlier version, which has no such file, those that its command line chooses.

    Raises:
        InputError: if they cannot be read.
    """
    path = folder / ".hydra" / CHOICES
    if not path.exists():
        return chosen(arguments(folder))
    content = documents.read(path)
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise InputError(f"{path} is no list of options: copy it again, or remove it")
    return {str(group): option for group, option in content.items()}
