"""Overrides of the command line, parsed and checked before Hydra composes a config."""

import os
import re
from collections.abc import Iterable, Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, Sweep
from hydra.errors import OverrideParseException

from gan.errors import InputError
from gan.settings.groups import options
from gan.settings.schema import MANY, NESTED

# Folders of caches; they are never taken from a run folder.
CACHES = ("cache_dir", "data.cache", "data.a.cache", "data.b.cache")
# Settings whose value is a path: any character is allowed, with quotes or without.
PATHS = (
    *("hydra.run.dir", "hydra.sweep.dir", "run_dir", "resume", "init", *CACHES),
    *("data.root", "data.a.root", "data.b.root", "backbone.weights"),
)
_OPTIONAL = ("experiment", "sweep")  # groups of which nothing may be chosen


def quote(argument: str, sweep: bool = False) -> str:
    """Return an override with a path in quotes, as Hydra's grammar needs them.

    Args:
        argument: ``KEY=VALUE``; other settings, and paths that are quoted, stay as they are.
        sweep: several values may be given, with commas between them.
    """
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in PATHS or value in ("", "null"):
        return argument
    quoted = re.fullmatch(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", value)
    if quoted or (sweep and "," in value) or value.startswith("${"):
        return argument
    value = os.path.expanduser(value)
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"{key}='{escaped}'"


def hydra_form(argument: str) -> str:
    """Return an override in the form of Hydra's grammar.

    ``data.a=mnist`` chooses an option of a group for a node within another: ``data@data.a=mnist``.
    Another dotted key may be new: it may name an argument of a constructor. The config is checked
    against the constructors afterwards, so that a misspelt key is still refused.
    """
    key, equals, value = argument.partition("=")
    name = key.lstrip("+")
    if equals and name in NESTED:
        return f"{NESTED[name]}@{name}={value}"
    plain = key[:1].isalpha() and "." in key and not set("/@") & set(key)
    return f"++{argument}" if equals and plain and not key.startswith("hydra.") else argument


def key_of(override: Override) -> str:
    """Return the dotted key or the group that an override sets, such as ``data.a``."""
    return override.package or override.key_or_group


def typed(override: Override) -> str:
    """Return an override as a user types it."""
    key, equals, value = str(override.input_line).partition("=")
    return f"{override.package or key}{equals}{value}"


def parse(arguments: Iterable[str]) -> Iterator[Override]:
    """Yield the overrides that arguments mean.

    Raises:
        InputError: if Hydra's grammar cannot read one.
    """
    parser = OverridesParser.create()
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        if not key or not (equals or key.startswith("~")):
            raise InputError(f"{argument}: give a setting with its value, KEY=VALUE")
        try:
            yield from parser.parse_overrides([argument])
        except OverrideParseException as error:
            raise InputError(
                f"{argument}: its value cannot be read: put it in quotes, \"{key}='...'\", if it "
                "holds blanks, brackets, commas or ="
            ) from error


def chosen(arguments: Iterable[str]) -> dict[str, str]:
    """Return the option of each group that overrides choose one of, such as ``data.a``."""
    found = ((key_of(o), o) for o in parse(arguments) if options(o.key_or_group))
    return {key: str(o.value()) for key, o in found if isinstance(o.value(), str | QuotedString)}


def check(overrides: Iterable[Override]) -> None:
    """Refuse overrides that Hydra would refuse in words of its own, or take silently.

    Raises:
        InputError: on a group set to nothing or to a list, and on a setting that is taken out.
    """
    for override in overrides:
        key = override.key_or_group
        if override.is_delete() and "." not in key and key not in _OPTIONAL:
            raise InputError(f"~{key}: it cannot be left out: give another value, {key}=...")
        if override.is_delete():
            continue
        if options(key):
            _check_choice(key, override)
        elif key in PATHS and override.value() == "":
            raise InputError(f"{key} is empty: give a path, or leave it out")
        elif key == "hydra" and not isinstance(override.value(), dict):
            raise InputError(f"{override.input_line}: give its keys, hydra.KEY=VALUE")
        elif key.startswith("hydra."):
            _check_hydra(key, override)


def _check_hydra(key: str, override: Override) -> None:
    """Refuse classes in place of Hydra's launchers and sweepers, and callbacks that are none."""
    group, _, rest = key.removeprefix("hydra.").partition(".")
    if group in ("launcher", "sweeper") and rest == "_target_":
        raise InputError(f"{key}: it is chosen by hydra/{group}=NAME: leave it out")
    if group == "callbacks" and "." not in rest and not isinstance(override.value(), dict):
        raise InputError(f"{override.input_line}: give a mapping, {{_target_: CLASS}}")


def _check_choice(group: str, override: Override) -> None:
    """Refuse a choice of a group that names nothing, or several where one is chosen."""
    value, known, name = override.value(), ", ".join(options(group)), key_of(override)
    if isinstance(value, Sweep) or (value is None and group in _OPTIONAL):
        return
    if isinstance(value, list):
        if group not in (*MANY, *_OPTIONAL):
            raise InputError(f"{name} takes one option, not a list: {known}")
        if not all(isinstance(item, str | QuotedString) for item in value):
            raise InputError(f"{override.input_line}: give a plain list of {known}")
        if len({str(item) for item in value}) < len(value):
            raise InputError(f"{override.input_line}: an option is there twice: leave one out")
    elif not isinstance(value, str | QuotedString):
        given = "null" if value is None else str(value)
        remedy = f"give a list, {name}=[] for none" if group in MANY else f"choose one of {known}"
        raise InputError(f"{name}={given}: {remedy}")
