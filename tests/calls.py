"""Functions that note how they are called."""

from collections.abc import Callable
from typing import Any


def noting(calls: list[Any], value: Any = None) -> Callable[..., Any]:
    """Return a function that notes its positional arguments, and returns a value."""

    def note(*given: Any) -> Any:
        calls.append(given)
        return value

    return note


def noting_all(calls: list[Any], value: Any = None) -> Callable[..., Any]:
    """Return a function that notes positional and named arguments, and returns a value."""

    def note(*given: Any, **named: Any) -> Any:
        calls.append((given, named))
        return value

    return note
