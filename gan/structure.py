"""The structure of the plain values of a file: their names, types and ranges."""

import reprlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

PLAIN = (str, int, float, bool, NoneType)
_EXACT = 2**53  # up to here, every whole number is a float


class StructureError(ValueError):
    """A value differs from what is expected; the message names it in one line."""


class Leaf(ABC):
    """What is expected of one value."""

    @abstractmethod
    def fault(self, value: Any) -> str | None:
        """Return what is wrong with a value, or ``None``."""


class Range(Leaf):
    """A number from ``low`` to ``high``, both included; NaN is in no range."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def fault(self, value: Any) -> str | None:
        """Return that the number is outside, or ``None``."""
        if self.low <= value <= self.high:
            return None
        return f"is {show(value)}, not a number from {self.low:g} to {self.high:g}"


class Settings(Leaf):
    """A dictionary of plain values, and of dictionaries and lists of these."""

    def fault(self, value: Any) -> str | None:
        """Return what else there is, or ``None``."""
        if not isinstance(value, dict):
            return f"is {show(value)}, not a dictionary"
        waiting: list[Any] = [value]
        while waiting:
            inner = waiting.pop()
            if isinstance(inner, dict):
                waiting += [*inner.keys(), *inner.values()]
            elif isinstance(inner, list | tuple):
                waiting += inner
            elif type(inner) not in PLAIN:
                return f"holds {show(inner)}"
        return None


Count = Annotated[int, Range(0, _EXACT)]
Finite = Annotated[float, Range(-sys.float_info.max, sys.float_info.max)]


def show(value: Any) -> str:
    """Return a plain value in a few characters, any other by its type."""
    if value is None or isinstance(value, str | int | float):
        return reprlib.repr(value)
    return f"a {type(value).__name__}"


def check(value: Any, expected: Any, name: str) -> None:
    """Compare a value with what is expected.

    Args:
        value: content of a file that anyone may have written.
        expected: a :class:`Leaf`, a type or annotation, a plain value that ``value`` must equal, or
            a dictionary, list or tuple of these.
        name: of the value, for the message.

    Raises:
        StructureError: if it differs.
    """
    if isinstance(expected, Leaf):
        fault = expected.fault(value)
        if fault is not None:
            raise StructureError(f"{name} {fault}")
    elif isinstance(expected, dict):
        check_mapping(value, expected, expected.keys(), name)
    elif isinstance(expected, list | tuple):
        _check_sequence(value, expected, name)
    elif expected is Any or isinstance(expected, type) or get_origin(expected) is not None:
        _check_type(value, expected, name)
    elif type(value) is not type(expected) or value != expected:
        raise StructureError(f"{name} is {show(value)} instead of {show(expected)}")


def _check_sequence(value: Any, expected: list[Any] | tuple[Any, ...], name: str) -> None:
    """Compare a list or a tuple with one of the same type and length."""
    if type(value) is not type(expected) or len(value) != len(expected):
        kind = f"{type(expected).__name__} of {len(expected)}"
        raise StructureError(f"{name} is {show(value)}, not a {kind}")
    for index, (inner, other) in enumerate(zip(value, expected, strict=True)):
        check(inner, other, f"{name}[{index}]")


def check_mapping(
    value: Any, expected: Mapping[Any, Any], required: Collection[Any], name: str
) -> None:
    """Compare a dictionary with what is expected under each key, some of which may be absent.

    Raises:
        StructureError: if it differs.
    """
    if not isinstance(value, dict):
        raise StructureError(f"{name} is {show(value)}, not a dictionary")
    for key in required:
        if key not in value:
            raise StructureError(f"{name} has no {key}")
    for key, inner in value.items():
        if key not in expected:
            raise StructureError(f"{name} has {show(key)}, which is not expected")
        check(inner, expected[key], f"{name}.{key}")


def _check_type(value: Any, annotation: Any, name: str) -> None:
    """Compare a value with a type or an annotation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is NotRequired:
        check(value, arguments[0], name)
    elif origin is Annotated:
        for part in arguments:
            check(value, part, name)
    elif origin in (Union, UnionType):
        _check_union(value, arguments, name)
    elif origin in (list, dict):
        _check_items(value, origin, arguments, name)
    elif is_typeddict(annotation) or is_dataclass(annotation):
        hints = get_type_hints(annotation, include_extras=True)
        check_mapping(value, hints, hints.keys() - _optional(annotation), name)
    elif not _is_instance(value, annotation):
        raise StructureError(f"{name} is {show(value)}, not of type {annotation.__name__}")


def _check_union(value: Any, members: tuple[Any, ...], name: str) -> None:
    """Compare a value with the members of a union."""
    for member in members:
        try:
            return check(value, NoneType if member is None else member, name)
        except StructureError as error:
            fault = error
    raise fault


def _check_items(value: Any, kind: Any, arguments: tuple[Any, ...], name: str) -> None:
    """Compare the items of a list, or the keys and values of a dictionary, with their types."""
    if not isinstance(value, kind):
        raise StructureError(f"{name} is {show(value)}, not a {kind.__name__}")
    for key in value if isinstance(value, dict) else ():
        check(key, arguments[0], f"a key of {name}")
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        check(inner, arguments[-1], f"{name}[{show(key)}]")


def _optional(annotation: Any) -> set[str]:
    """Return the fields of a dataclass that have a default, or those that a dict may lack."""
    if not is_dataclass(annotation):
        return set(annotation.__optional_keys__)
    absent = (MISSING, MISSING)
    return {f.name for f in fields(annotation) if (f.default, f.default_factory) != absent}


def _is_instance(value: Any, kind: Any) -> bool:
    """Return whether a value is of a plain type; whole numbers are floats, truth values are not."""
    if kind is Any:
        return True
    if kind is float:
        return type(value) is float or (type(value) is int and abs(value) <= _EXACT)
    if issubclass(kind, Enum):
        return value in [member.value for member in kind]
    return type(value) is kind if kind in (int, bool, str) else isinstance(value, kind)
