"""Checks of a composed config before anything is built."""

import inspect
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, Node, OmegaConf, open_dict, read_write

from gan.errors import InputError
from gan.settings import renamed, signatures, trust
from gan.settings.names import nearest
from gan.settings.resolvers import COMPUTED
from gan.settings.schema import GROUPS, MANY, NODES
from gan.settings.signatures import Signature
from gan.settings.trainer import refuse_replaced
from gan.settings.types import ANYTHING, Type

Reference = tuple[str, DictConfig, str, Type]  # an interpolation: its node's path, node, key
_DIRECTIVES = {"_target_", "_partial_", "_convert_", "_recursive_"}
_VALUES = {"_convert_": ("none", "partial", "object", "all"), "_recursive_": (True, False)}
_POSITIVE = ("steps", "batch_size", "n_critic", "accumulate", "label_dim", "pack")
_MOST = 10**12
_BUILT = ("augment", "averaging", "conditioning", "data", "likelihood", "loss", "model", "prior")
_PLAYERS = ("optimizer", "schedule")  # nodes with an object for each network
_PARTIAL = ("optimizer.generator", "optimizer.discriminator", "critic_norm", "minibatch")


def _join(path: str, key: object) -> str:
    """Return the dotted path of a key of a node."""
    return f"{path}.{key}" if path else str(key)


def nodes(config: DictConfig, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Yield every node that is written in a config, not interpolated, with its dotted path."""
    yield path, config
    for key in config:
        node = config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_interpolation() and not node._is_none():
            yield from nodes(node, _join(path, key))


def _signature_of(path: str, name: Any, allowed: list[str]) -> Signature:
    """Return what the class or function that a node names takes.

    Its source file is read; the module of one without source is imported.
    """
    definition = trust.find(path, name, allowed)
    if definition is not None:
        return signatures.signature(definition)
    parameters = inspect.signature(trust.load(path, name, allowed)).parameters.values()
    keywords = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return Signature(
        dict.fromkeys(keywords, ANYTHING), any(p.kind == p.VAR_KEYWORD for p in parameters)
    )


def check_keys(path: str, node: DictConfig, taken: Signature) -> list[Reference]:
    """Refuse keys that are not taken, and values of other types; convert numbers such as 1e3.

    Returns:
        The interpolations, to be checked once what they point to has been.
    """
    references = []
    for key in map(str, node):
        expected = taken.parameters.get(key)
        if key in _DIRECTIVES:
            continue
        if expected is None and not taken.open:
            where, hint = _join(path, key), nearest(key, taken.parameters)
            raise InputError(f"{where}: no such setting; {hint}")
        if expected is None or OmegaConf.is_missing(node, key):
            continue
        if OmegaConf.is_interpolation(node, key):
            references.append((path, node, key, expected))
        else:
            _check_value(path, node, key, expected)
    return references


def _check_value(path: str, node: DictConfig, key: str, expected: Type) -> None:
    """Refuse a value of another type, or convert it; what a reference points to stays."""
    value = node[key]
    if expected.accepts(value):
        return
    converted = expected.convert(value)
    if not expected.accepts(converted):
        raise InputError(f"{_join(path, key)}={_written(value)}: give {expected.name}")
    raw = node._get_node(key)
    if isinstance(raw, Node) and raw._is_interpolation() and not COMPUTED.search(raw._value()):
        return
    with read_write(node), open_dict(node):
        node[key] = converted


def _written(value: Any) -> str:
    """Return a value as a command line has it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_target(path: str, node: DictConfig, allowed: list[str]) -> list[Reference]:
    """Refuse unknown parameters and wrong types for the class that a node names.

    Returns:
        Its interpolations, as :func:`check_keys`.
    """
    for key, values in _VALUES.items():
        if node.get(key, values[0]) not in values:
            raise InputError(
                f"{path}.{key}={node[key]}: it is set by the group's yaml: leave it out"
            )
    if bool(node.get("_partial_", False)) != (path in _PARTIAL):
        raise InputError(f"{path}._partial_: it is set by the group's yaml: leave it out")
    return check_keys(path, node, _signature_of(path, node["_target_"], allowed))


def _check_task(node: Any) -> None:
    """Refuse settings of a task that was not chosen."""
    if node and "_target_" not in node:
        name = next(iter(node))
        raise InputError(f"task.{name}: no task is chosen: add task=NAME, or leave it out")


def _check_groups(config: DictConfig) -> None:
    """Refuse groups of which nothing, or something that is no node, is chosen."""
    for group in map(str, config):
        node = config[group]
        if isinstance(node, DictConfig):
            for name in node if group in MANY else ():
                _check_member(group, str(name), node[name])
            if group in _BUILT and "_target_" not in node:
                raise InputError(
                    f"{group}: its yaml names no class: give it a _target_; where it has the key "
                    f"{group}, its first line is '# @package _global_'"
                )
        elif group in MANY or group in GROUPS or (group == "doctor" and node is not None):
            raise InputError(f"{group}={_written(node)}: give its keys, {group}.KEY=VALUE")


def _check_players(path: str, node: DictConfig) -> None:
    """Refuse a node of both networks that lacks one, or has a plain value in its place."""
    for name in ("generator", "discriminator"):
        if not isinstance(node.get(name), DictConfig):
            raise InputError(f"{path}.{name}={_written(node.get(name))}: choose {path}=OPTION")


def _check_member(group: str, name: str, member: Any) -> None:
    """Refuse a member of a choose-many group that was not chosen."""
    if not isinstance(member, DictConfig) or "_target_" not in member:
        raise InputError(
            f"{group}.{name} is not chosen: add it to {group}=[...], or drop what is set of it by "
            f"~{group}.{name}"
        )


def _refuse_earlier_names(config: DictConfig) -> None:
    """Refuse members of choose-many groups that earlier versions had there."""
    groups = ((group, config.get(group)) for group in MANY)
    members = ((group, node) for group, node in groups if isinstance(node, DictConfig))
    renamed.refuse(_join(group, name) for group, node in members for name in node)


def _check_top_level(config: DictConfig) -> None:
    """Refuse unknown, mistyped and missing values of the top level, and numbers out of range."""
    for reference in check_keys("", config, signatures.signature(signatures.find(NODES[""]))):
        _check_value(*reference)
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise InputError(f"{missing[0]} is not set: add {missing[0]}=... to the command")
    _check_numbers(config)


def _check_numbers(config: DictConfig) -> None:
    """Refuse numbers out of their range at the top level."""
    for name in _POSITIVE:
        if not 1 <= config[name] <= _MOST:
            raise InputError(f"{name}={config[name]}: give a number from 1 to 10**12")
    if config.batch_size % config.accumulate:
        raise InputError(
            f"accumulate={config.accumulate} does not divide batch_size={config.batch_size}"
        )
    if not 0 < config.burn_in <= 1:
        raise InputError(f"burn_in={config.burn_in}: give a share of the run, above 0, at most 1")
    if not 0 <= config.seed < 2**32:
        raise InputError(f"seed={config.seed}: give a number from 0 below 2**32")


def several_processes(count: int) -> str:
    """Return what to do for ``count`` processes of one run without a strategy for them."""
    return (
        f"accelerator: {count} processes train by accelerator=ddp, ddp_amp or ddp_cpu: choose one, "
        "beside the devices"
    )


def _check_strategy(node: DictConfig) -> None:
    """Refuse strategies that the games do not know, and several devices or machines without one."""
    if isinstance(node.strategy, DictConfig):
        return
    if node.strategy != "auto":
        raise InputError(
            f"accelerator.strategy={node.strategy}: several devices train by accelerator=ddp: "
            "leave it out"
        )
    count = (node.devices if isinstance(node.devices, int) else 1) * node.get("num_nodes", 1)
    if count > 1:
        raise InputError(several_processes(count))


def validate(config: DictConfig) -> None:
    """Refuse a config with missing, unknown, mistyped or untrusted values.

    Whole numbers that are written as floats, such as 1e3, become whole numbers.

    Raises:
        InputError: with the dotted path, what is wrong and the nearest right name.
    """
    _refuse_earlier_names(config)
    refuse_replaced(config)
    _check_top_level(config)
    _check_groups(config)
    _check_task(config.task)
    allowed, references = list(config.allow_targets), list[Reference]()
    for path, node in nodes(config):
        if "_target_" in node:
            references += check_target(path, node, allowed)
        elif path and path in NODES:
            references += check_keys(path, node, signatures.signature(signatures.find(NODES[path])))
            if path in _PLAYERS:
                _check_players(path, node)
    for reference in references:
        _check_value(*reference)
    _check_strategy(config.accelerator)
    trust.check(OmegaConf.to_container(config, resolve=True), allowed)
