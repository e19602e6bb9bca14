"""The values that settings take, as type annotations declare them."""

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, ListConfig


class Type(ABC):
    """A set of values.

    Attributes:
        name: for messages, such as "a whole number".
    """

    name: str

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Return whether ``value``, plain or a node of a config, is one of them."""

    def convert(self, value: Any) -> Any:
        """Return ``value``, as one of them if it is written as another type, such as 1e3."""
        return value


@dataclass(frozen=True)
class Anything(Type):
    """Any value: there is no annotation, or one that is not understood."""

    name: str = "a value"

    def accepts(self, value: Any) -> bool:
        """Return true."""
        return True


ANYTHING = Anything()


@dataclass(frozen=True)
class Null(Type):
    """``null``."""

    name: str = "null"

    def accepts(self, value: Any) -> bool:
        """Return whether it is null."""
        return value is None


@dataclass(frozen=True)
class Text(Type):
    """Text."""

    name: str = "text"

    def accepts(self, value: Any) -> bool:
        """Return whether it is text."""
        return isinstance(value, str)


@dataclass(frozen=True)
class Truth(Type):
    """True or false."""

    name: str = "true or false"

    def accepts(self, value: Any) -> bool:
        """Return whether it is a truth value."""
        return isinstance(value, bool)


@dataclass(frozen=True)
class Number(Type):
    """A finite number."""

    name: str = "a number"

    def accepts(self, value: Any) -> bool:
        """Return whether it is a number that a float can hold, neither infinite nor NaN."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return abs(value) <= sys.float_info.max

    def convert(self, value: Any) -> Any:
        """Return a number for a text that is one."""
        try:
            return float(value) if isinstance(value, str) else value
        except ValueError:
            return value


@dataclass(frozen=True)
class Float(Number):
    """A number of a list: torch refuses ``betas=[0, 0.9]``, as papers write it."""

    def accepts(self, value: Any) -> bool:
        """Return whether it is a float, neither infinite nor NaN."""
        return isinstance(value, float) and super().accepts(value)

    def convert(self, value: Any) -> Any:
        """Return a float for a number, or a text, that is one."""
        number = super().convert(value)
        return float(number) if super().accepts(number) else value


@dataclass(frozen=True)
class WholeNumber(Type):
    """A whole number, also if it is written as 1e3."""

    name: str = "a whole number"

    def accepts(self, value: Any) -> bool:
        """Return whether it is a whole number."""
        return isinstance(value, int) and not isinstance(value, bool)

    def convert(self, value: Any) -> Any:
        """Return a whole number for a float, or a text, that is one."""
        number = Number().convert(value)
        whole = isinstance(number, float) and math.isfinite(number) and number.is_integer()
        return int(number) if whole else value


@dataclass(frozen=True)
class Choice(Type):
    """One of some values.

    Attributes:
        values: of which it is one.
    """

    values: tuple[Any, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the values."""
        return f"one of {', '.join(dict.fromkeys(map(str, self.values)))}"

    def accepts(self, value: Any) -> bool:
        """Return whether it is one of the values."""
        return value in self.values


@dataclass(frozen=True)
class ListOf(Type):
    """A list.

    Attributes:
        item: type of each of its items.
        length: of the list, or ``None`` for any.
    """

    item: Type
    length: int | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return "a list" and what its items are."""
        count = "" if self.length is None else f" of {self.length} items"
        items = "" if self.item == ANYTHING else f", each {self.item.name}"
        return f"a list{count}{items}"

    def accepts(self, value: Any) -> bool:
        """Return whether it is a list of such items."""
        if not isinstance(value, ListConfig | Sequence) or isinstance(value, str):
            return False
        fits = self.length is None or len(value) == self.length
        return fits and all(self.item.accepts(item) for item in value)

    def convert(self, value: Any) -> Any:
        """Return the list with its items converted."""
        if not isinstance(value, ListConfig | Sequence) or isinstance(value, str):
            return value
        return [self.item.convert(item) for item in value]


@dataclass(frozen=True)
class MappingOf(Type):
    """A mapping from names to values.

    Attributes:
        value: type of each of its values.
    """

    value: Type
    name: str = "a mapping, {name: value}"

    def accepts(self, value: Any) -> bool:
        """Return whether it is a mapping to such values."""
        if not isinstance(value, DictConfig | Mapping):
            return False
        return all(self.value.accepts(inner) for inner in value.values())


@dataclass(frozen=True)
class Object(Type):
    """An object of a class, described by a node with ``_target_``."""

    name: str = "a node with _target_"

    def accepts(self, value: Any) -> bool:
        """Return whether it is a node that names a class, or builds a mapping of them."""
        return isinstance(value, DictConfig | Mapping)


@dataclass(frozen=True)
class AnyOf(Type):
    """A union of types.

    Attributes:
        members: at least two types.
    """

    members: tuple[Type, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the names of the members."""
        return " or ".join(dict.fromkeys(member.name for member in self.members))

    def accepts(self, value: Any) -> bool:
        """Return whether a member accepts it."""
        return any(member.accepts(value) for member in self.members)

    def convert(self, value: Any) -> Any:
        """Return the value as the first member converts it that then accepts it."""
        for member in self.members:
            converted = member.convert(value)
            if member.accepts(converted):
                return converted
        return value
