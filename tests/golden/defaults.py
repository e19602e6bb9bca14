"""The defaults of functions and commands, named numbers, and the values of ``conf/``, by place.

A run folder stores the settings of a run and not the defaults of functions, nor the numbers that
modules name: one that changes also changes what a stored run is.
``python -m tests.golden.defaults`` stores the values anew and prints what differs.
"""

import ast
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.configs import ROOT

FILE = Path(__file__).parent / "defaults.json"
PACKAGES = ("gan", "datamodules")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Defaults = dict[str, str]


def _of_function(node: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a function that have defaults."""
    given = [*node.args.posonlyargs, *node.args.args]
    last = given[len(given) - len(node.args.defaults) :]
    pairs = [*zip(last, node.args.defaults, strict=True)]
    for argument, value in [*pairs, *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]:
        if value is not None:
            yield argument.arg, ast.unparse(value)


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the fields of a class that have values, and the defaults of its functions."""
    for part in node.body:
        match part:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, ast.unparse(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_plain(value):
                yield name, ast.unparse(value)
            case ast.FunctionDef(name="__init__"):
                yield from _of_function(part)
            case ast.FunctionDef(name=function):
                yield from ((f"{function} {name}", value) for name, value in _of_function(part))


def _of_decorators(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the arguments of decorators, such as ``"@dataclass": "frozen=True"``."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call):
            arguments = ast.unparse(decorator).removeprefix(name := ast.unparse(decorator.func))
            yield f"@{name}", arguments


def _is_plain(node: ast.expr) -> bool:
    """Return whether an expression has numbers, and no text, comprehension or function."""
    parts = (ast.JoinedStr, ast.comprehension, ast.Lambda)
    inner = [*ast.walk(node)]
    values = [n.value for n in inner if isinstance(n, ast.Constant)]
    numbers = any(isinstance(value, int | float) for value in values)
    return numbers and not any(isinstance(n, parts) for n in inner)


def _of_module(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield what a statement of a module defines: a class, a function or named numbers."""
    match node:
        case ast.ClassDef(name=name):
            own = [*_of_decorators(node), *_of_class(node)]
            yield from ((f".{name} {key}", value) for key, value in own)
        case ast.FunctionDef(name=name):
            yield from ((f".{name} {key}", value) for key, value in _of_function(node))
        case ast.Assign(targets=[target], value=value) if _is_plain(value):
            yield f" {ast.unparse(target)}", ast.unparse(value)
        case ast.AnnAssign(target=target, value=ast.expr() as value) if _is_plain(value):
            yield f" {ast.unparse(target)}", ast.unparse(value)


@functools.cache
def of_modules() -> Defaults:
    """Return the defaults and named numbers, such as ``"gan.clock.Clock step": "0"``."""
    return {
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}{name}": value
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.parse(path.read_bytes()).body
        for name, value in _of_module(node)
    }


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield each value of a YAML file; the order within a list is part of it."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if " " in place else f"{place} {key}")
    else:
        yield place, json.dumps(value)


@functools.cache
def of_files() -> Defaults:
    """Return the values of ``conf/``, such as ``"conf/train.yaml steps": "2000"``."""
    return {
        place: value
        for path in sorted((ROOT / "conf").rglob("*.yaml"))
        for content in [yaml.load(path.read_bytes(), _Loader)]
        for place, value in _leaves(content, str(path.relative_to(ROOT)))
    }


def stored() -> Defaults:
    """Return the stored values."""
    found: Defaults = json.loads(FILE.read_text())
    return found


def differences(old: Defaults, new: Defaults) -> list[str]:
    """Return what differs, in words."""
    names = sorted(n for n in {**old, **new} if old.get(n) != new.get(n))
    return [f"{name}: {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in names]


if __name__ == "__main__":
    now = {**of_modules(), **of_files()}
    print("\n".join(differences(stored() if FILE.exists() else {}, now)))
    FILE.write_text(json.dumps(now, indent=0, sort_keys=True) + "\n")
