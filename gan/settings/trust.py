"""Which classes a config may name, so that a config from a stranger runs no code of his."""

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gan.errors import InputError
from gan.settings import signatures
from gan.settings.signatures import Definition, NoModuleError, UnreadableError

PACKAGES = ("gan", "datamodules", "torch.nn", "torch.optim")


def _within(name: str, packages: Sequence[str]) -> bool:
    """Return whether a dotted name lies in one of the packages."""
    return any(name.startswith(f"{package}.") for package in packages)


def _setting(path: str, name: Any) -> str:
    """Return a ``_target_`` as it is written in a command."""
    return f"{path}._target_={name}".lstrip(".")


def _untrusted(path: str, name: Any) -> InputError:
    """Return the refusal of a class that a config may not name."""
    return InputError(
        f"{_setting(path, name)}: no class of {', '.join(PACKAGES)}: name one, or trust its "
        "package by allow_targets=[PACKAGE]"
    )


def _absent(error: LookupError) -> str:
    """Return that a module is not there, and the remedy."""
    return f"there is no module {error} on Python's path: correct it, or add its folder there"


def find(path: str, name: Any, allowed: Sequence[str] = ()) -> Definition | None:
    """Return the definition of what ``_target_`` names, without importing its module.

    What counts is where it was defined: nothing that a module merely imports can be named.

    Args:
        path: of the node, for the message.
        name: dotted, of something at the top level of a module.
        allowed: packages of the user's own, whose functions may be named as well.

    Returns:
        ``None`` if only an import shows what it is, as in a compiled module.

    Raises:
        InputError: if there is no such class, or it may not be named.
    """
    if not isinstance(name, str) or not _within(name, (*PACKAGES, *allowed)):
        raise _untrusted(path, name)
    try:
        found = signatures.find(name)
    except LookupError as error:
        missing = isinstance(error, NoModuleError) and not _within(name, PACKAGES)
        absent = _absent(error) if missing else "no such class: correct the name"
        raise InputError(f"{_setting(path, name)}: {absent}") from error
    except UnreadableError:
        return None
    home = f"{found.module.name}."
    if not (found.is_class and _within(home, PACKAGES)) and not _within(home, allowed):
        raise _untrusted(path, name)
    return found


def load(path: str, name: Any, allowed: Sequence[str] = ()) -> Any:
    """Return what ``_target_`` names, after the checks of :func:`find` and its import.

    Raises:
        InputError: if it may not be named, or its module cannot be imported.
    """
    find(path, name, allowed)
    return _import(path, name, allowed)


def _import(path: str, name: str, allowed: Sequence[str]) -> Any:
    """Return what ``_target_`` names, which passed :func:`find`, if it is defined where that says.

    Raises:
        InputError: if it may not be named, or its module cannot be imported.
    """
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, SyntaxError) as error:
        raise InputError(f"{_setting(path, name)}: {module} cannot be imported: {error}") from error
    except AttributeError as error:
        raise InputError(f"{_setting(path, name)}: no such class") from error
    home = f"{getattr(found, '__module__', None)}."
    ours = inspect.isclass(found) and _within(home, PACKAGES)
    if not ours and not (callable(found) and _within(home, allowed)):
        raise _untrusted(path, name)
    return found


def _values(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every dictionary and every plain value with its dotted path."""
    if isinstance(content, dict):
        yield path, content
    if isinstance(content, dict | list):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from _values(value, f"{path}.{key}".lstrip("."))
    else:
        yield path, content


def check(content: Any, allowed: Sequence[str] = ()) -> None:
    """Refuse resolved settings that name what they may not, or that would resolve once more.

    Raises:
        InputError: with the dotted path.
    """
    for path, value in _values(content):
        if isinstance(value, dict) and "_target_" in value:
            find(path, value["_target_"], allowed)
        if isinstance(value, str) and "${" in value:
            raise InputError(f"{path}={value}: an interpolation within another: write it out")


def build(node: DictConfig, allowed: Sequence[str] = ()) -> Any:
    """Return the object that a node describes, made of trusted classes alone.

    Raises:
        InputError: if it names another, or one whose module cannot be imported.
    """
    content, place = OmegaConf.to_container(node, resolve=True), node._get_full_key(None)
    check(content, allowed)
    for path, value in _values(content, place):
        if isinstance(value, dict) and "_target_" in value:
            _import(path, value["_target_"], allowed)
    return instantiate(content, _convert_="all")
