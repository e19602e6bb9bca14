"""Values within a class, such as "domain/recall/3"."""

import re
from collections.abc import Mapping

_OF_CLASS = re.compile(r"(.+)/(\d{1,6})")  # name, label


def is_of_class(name: str) -> bool:
    """Return whether a value is one of a class."""
    return _OF_CLASS.fullmatch(name) is not None


def class_values(values: Mapping[str, float]) -> dict[str, dict[int, float]]:
    """Return the values within classes, by their name and the label of the class."""
    found: dict[str, dict[int, float]] = {}
    for key, value in values.items():
        match = _OF_CLASS.fullmatch(key)
        if match is not None:
            found.setdefault(match[1], {})[int(match[2])] = value
    return found
