"""Checks of a composed config before anything is built."""

import difflib
import inspect
import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan.errors import InputError
from gan.settings import trust

_SCALARS = (bool, int, float, str, type(None))
_DIRECTIVES = {"_target_", "_partial_", "_convert_", "_recursive_"}
_POSITIVE = ("steps", "batch_size", "n_critic", "accumulate", "label_dim", "pack")
_CHOOSE_MANY = ("regularizers", "measures", "callbacks")


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """Return a hint at the right name, or at all of them."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(choices) or 'none'}"


def _nodes(config: Any, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Yield every dictionary with its dotted path."""
    if isinstance(config, DictConfig):
        yield path, config
        for key in config:
            node = config._get_node(key)
            if isinstance(node, DictConfig) and not node._is_interpolation():
                yield from _nodes(node, f"{path}.{key!s}" if path else str(key))


def _accepts(annotation: Any, value: Any) -> bool:
    """Return whether a scalar fits an annotation made of scalar types; others always fit."""
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    kinds = [k for k in typing.get_args(annotation) if k is not Tensor] if union else [annotation]
    if not isinstance(value, _SCALARS) or not all(kind in _SCALARS for kind in kinds):
        return True
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, tuple(kinds)) or (float in kinds and isinstance(value, int))


@cache
def _parameters(target: Any) -> tuple[dict[str, Any], bool]:
    """Return the parameters of a constructor with their types, and whether it takes any other."""
    known: dict[str, Any] = {}
    lineage = inspect.getmro(target)[:-1] if inspect.isclass(target) else ()
    constructors = [vars(kind)["__init__"] for kind in lineage if "__init__" in vars(kind)]
    for constructor in constructors if lineage else [target]:
        signature = inspect.signature(constructor)
        try:
            hints = typing.get_type_hints(constructor)
        except NameError:  # a name that the module imports for type checkers alone
            hints = {}
        kinds = {p.kind for p in signature.parameters.values()}
        named = {k for k, p in signature.parameters.items() if p.kind not in (p.VAR_KEYWORD,)}
        known = {name: hints.get(name, Any) for name in named - {"self"}} | known
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return known, False
    return known, bool(constructors)


def _check_target(path: str, node: DictConfig, allowed: list[str]) -> None:
    """Refuse unknown parameters and wrong types for the class that a node names."""
    known, anything = _parameters(trust.target(path, node["_target_"], allowed))
    for key in set(node) - _DIRECTIVES:
        if str(key) not in known:
            if not anything:
                raise InputError(f"{path}.{key}: no such setting; {nearest(str(key), known)}")
            continue
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue  # what an interpolation points at is checked in its own place
        value = node[key]
        if not _accepts(known[str(key)], value):
            wanted = getattr(known[str(key)], "__name__", str(known[str(key)]))
            raise InputError(f"{path}.{key}={value}: give a value of type {wanted}")


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
    for group in _CHOOSE_MANY:
        for name, node in config[group].items():
            if "_target_" not in node:
                raise InputError(
                    f"{group}.{name} is not chosen: add it to {group}=[...], or drop what is set "
                    f"of it by ~{group}.{name}"
                )
    allowed = list(config.allow_targets)
    trust.check(OmegaConf.to_container(config, resolve=True), allowed)
    for path, node in _nodes(config):
        if "_target_" in node:
            _check_target(path, node, allowed)
