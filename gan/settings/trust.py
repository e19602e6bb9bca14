"""Which classes a config may name, so that a config from a stranger runs no code of his."""

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gan.errors import InputError

PACKAGES = ("gan", "datamodules", "torch.nn", "torch.optim")


def _within(name: str, packages: Sequence[str]) -> bool:
    """Return whether a dotted name lies in one of the packages."""
    return any(name.startswith(f"{package}.") for package in packages)


def _trusted(found: Any, allowed: Sequence[str]) -> bool:
    """Return whether something was defined where a config may look."""
    home = f"{getattr(found, '__module__', None)}."
    known = inspect.isclass(found) and _within(home, PACKAGES)
    return known or (callable(found) and _within(home, allowed))


def target(path: str, name: Any, allowed: Sequence[str] = ()) -> Any:
    """Return what ``_target_`` names: a class of this project's or torch's, or what is allowed.

    What counts is where it was defined: nothing that a module merely imports can be named.

    Args:
        path: of the node, for the message.
        name: dotted, of something at the top level of a module.
        allowed: packages of the user's own, whose functions may be named as well.

    Raises:
        InputError: if it is something else, before its module is imported.
    """
    place = f"{path}._target_={name}".lstrip(".")
    if isinstance(name, str) and _within(name, (*PACKAGES, *allowed)):
        module, _, attribute = name.rpartition(".")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise InputError(f"{place}: no such class") from error
        if _trusted(found, allowed):
            return found
    raise InputError(
        f"{place}: no class of {', '.join(PACKAGES)}: name one, or trust its package by "
        "allow_targets=[PACKAGE]"
    )


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
            target(path, value["_target_"], allowed)
        if isinstance(value, str) and "${" in value:
            raise InputError(f"{path}={value}: an interpolation within another: write it out")


def build(node: DictConfig, allowed: Sequence[str] = ()) -> Any:
    """Return the object that a node describes, made of trusted classes alone.

    Raises:
        InputError: if it names another.
    """
    content = OmegaConf.to_container(node, resolve=True)
    check(content, allowed)
    return instantiate(content, _convert_="all")
