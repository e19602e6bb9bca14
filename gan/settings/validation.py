"""Checks of a composed config before anything is built."""

import difflib
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan.errors import InputError
from gan.settings import renamed, trust
from gan.settings.signatures import Signature, Types, signature

_SCALARS = (bool, int, float, str, type(None))
_DIRECTIVES = {"_target_", "_partial_", "_convert_", "_recursive_"}
_POSITIVE = ("steps", "batch_size", "n_critic", "accumulate", "label_dim", "pack")
_CHOOSE_MANY = ("regularizers", "metrics", "callbacks")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the right name, or at all of them."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(choices) or 'none'}"


def nodes(config: Any, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Yield every dictionary of a config with its dotted path, but for interpolations."""
    if isinstance(config, DictConfig):
        yield path, config
        for key in config:
            node = config._get_node(key)
            if isinstance(node, DictConfig) and not node._is_interpolation():
                yield from nodes(node, f"{path}.{key!s}" if path else str(key))


def _accepts(types: Types, value: Any) -> bool:
    """Return whether a scalar is of one of the types; without types everything is accepted."""
    if not types or not isinstance(value, _SCALARS):
        return True
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types) or (float in types and isinstance(value, int))


def _named(types: Types) -> str:
    """Return types as an annotation names them."""
    return " | ".join("None" if kind is type(None) else kind.__name__ for kind in types)


def _signature(path: str, name: Any, allowed: list[str]) -> Signature:
    """Return what the class or function that a node names takes.

    Its source file is read; the module of one without source is imported.
    """
    definition = trust.find(path, name, allowed)
    if definition is not None:
        return signature(definition)
    given = inspect.signature(trust.load(path, name, allowed)).parameters.values()
    keywords = [p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return Signature(dict.fromkeys(keywords, ()), any(p.kind == p.VAR_KEYWORD for p in given))


def check_target(path: str, node: DictConfig, allowed: list[str]) -> None:
    """Refuse unknown parameters and wrong types for the class that a node names."""
    taken = _signature(path, node["_target_"], allowed)
    for key in set(node) - _DIRECTIVES:
        types = taken.parameters.get(str(key))
        if types is None:
            if not taken.open:
                hint = nearest(str(key), taken.parameters)
                raise InputError(f"{path}.{key}: no such setting; {hint}")
            continue
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue  # what an interpolation points at is checked in its own place
        value = node[key]
        if not _accepts(types, value):
            raise InputError(f"{path}.{key}={value}: give a value of type {_named(types)}")


def _check_numbers(config: DictConfig) -> None:
    """Refuse numbers out of their range at the top level."""
    for name in _POSITIVE:
        if config[name] < 1:
            raise InputError(f"{name}={config[name]}: give a number from 1")
    if config.batch_size % config.accumulate:
        raise InputError(
            f"accumulate={config.accumulate} does not divide batch_size={config.batch_size}"
        )
    if not 0 <= config.seed < 2**32:
        raise InputError(f"seed={config.seed}: give a number from 0 below 2**32")


def validate(config: DictConfig) -> None:
    """Refuse a config with missing, unknown, mistyped or untrusted values.

    Raises:
        InputError: with the dotted path, what is wrong and the nearest right name.
    """
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise InputError(f"{missing[0]} is not set: add {missing[0]}=... to the command")
    _check_numbers(config)
    renamed.refuse(f"{group}.{name}" for group in _CHOOSE_MANY for name in config[group])
    for group in _CHOOSE_MANY:
        for name, node in config[group].items():
            if not isinstance(node, DictConfig) or "_target_" not in node:
                raise InputError(
                    f"{group}.{name} is not chosen: add it to {group}=[...], or drop what is set "
                    f"of it by ~{group}.{name}"
                )
    allowed = list(config.allow_targets)
    trust.check(OmegaConf.to_container(config, resolve=True), allowed)
    for path, node in nodes(config):
        if "_target_" in node:
            check_target(path, node, allowed)
