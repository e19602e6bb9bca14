"""Settings that nothing in a run uses: those that were typed are refused, a recipe's dropped."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from gan.errors import InputError
from gan.settings.groups import CONF, defaults, options
from gan.settings.overrides import key_of, typed
from gan.settings.schema import MANY

# Nodes that training reads, whatever others refer to them.
_READ = (
    *("model", "data", "steps", "seed", "batch_size", "name", "metrics", "accelerator"),
    *("run_dir", "cache_dir"),
)
_PLAYER = "discriminator"  # the player that some models do not have
_REFERENCE = re.compile(r"\$\{(?:oc\.select:)?([a-z_]+)(?=[.,}])")  # to a node of the top level


@cache
def _shared() -> frozenset[str]:
    """Return the nodes of the top level that others refer to somewhere in ``conf/``."""
    texts = (path.read_text() for path in CONF.glob("**/*.yaml"))
    return frozenset(name for text in texts for name in _REFERENCE.findall(text))


def _texts(value: Any) -> Iterator[str]:
    """Yield the strings of plain settings."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def used(config: DictConfig) -> set[str]:
    """Return the nodes of the top level that a run reads, or that these refer to.

    Args:
        config: composed and not resolved.
    """
    content: Any = OmegaConf.to_container(config, resolve=False)
    found: set[str] = set()
    waiting = [*(content.keys() - _shared()), *_READ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [n for text in _texts(content.get(name)) for n in _REFERENCE.findall(text)]
    return found


def drop_unchosen(config: DictConfig, overrides: Iterable[Override]) -> None:
    """Drop what a recipe sets of penalties, metrics, callbacks and loggers that are not chosen.

    What was typed of them, or stands under a name that is no option, stays, to be refused by
    :func:`~gan.settings.validation.validate`. Call it for recipes of this project alone: what a
    user has written into a yaml is not ignored.

    Args:
        config: composed and not resolved.
        overrides: that were typed.
    """
    given = {".".join(key_of(override).split(".")[:2]) for override in overrides}
    for group in MANY:
        node = config.get(group)
        for name in [*node] if isinstance(node, DictConfig) else []:
            member = None if OmegaConf.is_interpolation(node, name) else node[name]
            left = isinstance(member, DictConfig) and "_target_" not in member
            if left and name in options(group) and f"{group}.{name}" not in given:
                with open_dict(node):
                    del node[name]


def refuse_unused(config: DictConfig, overrides: Iterable[Override]) -> None:
    """Refuse overrides of settings that nothing in a run uses, but for a group's default option.

    Settings of the discriminator, such as ``optimizer.discriminator.lr``, are unused in a model
    without one.

    Args:
        config: composed and not resolved.
        overrides: that were typed.

    Raises:
        InputError: with the first of them.
    """
    unused = (_shared() & {str(key) for key in config}) - used(config)
    alone = _PLAYER not in config.get("model", {_PLAYER: None})
    for override in overrides:
        key = key_of(override)
        name, *inner = key.split(".")
        fault = name in unused and (inner or defaults().get(name) != str(override.value()))
        if fault or (alone and inner[:1] == [_PLAYER]):
            what = name if fault else f"{name}.{_PLAYER}"
            raise InputError(
                f"{typed(override).lstrip('+')}: nothing in this run uses {what}: leave it out, or "
                "choose what does"
            )
