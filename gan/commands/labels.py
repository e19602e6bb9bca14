"""Classes as they are written on the command line."""

from collections.abc import Sequence


def as_text(labels: Sequence[int | str] | None) -> list[str] | None:
    """Return the classes as texts, so that a class whose name is a number is found by it."""
    return None if labels is None else [str(label) for label in labels]
