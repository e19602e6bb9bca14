"""The names of the classes of a model."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gan.errors import InputError
from gan.settings.names import nearest

Label = int | str  # number or name of a class
Labels = Sequence[Label] | Tensor
_LONGEST = 300  # characters of a hint


@dataclass(frozen=True)
class ClassNames:
    """The names of classes in the order of their numbers.

    Attributes:
        names: all different; empty where they are not known.
    """

    names: tuple[str, ...] = ()

    def number(self, label: Label) -> int:
        """Return the number of a class.

        A text that is a name means that class, even where the name is a number: of the classes
        "3" and "7", "7" is number 1. Another text that is a whole number is the number itself, as
        is every integer.

        Raises:
            InputError: if a text is neither.
        """
        if not isinstance(label, str):
            return int(label)
        if label in self.names:
            return self.names.index(label)
        try:
            return int(label)
        except ValueError:
            raise InputError(f"labels: no class '{label}'; {self._hint(label)}") from None

    def numbers(self, labels: Sequence[Label]) -> list[int]:
        """Return the number of each class; a text is a single class.

        Raises:
            InputError: on a name that is not known.
        """
        given = [labels] if isinstance(labels, str) else labels
        return [self.number(label) for label in given]

    def name(self, number: int) -> str:
        """Return the name of a class, or its number as text where it has none."""
        return self.names[number] if self.names else str(number)

    def _hint(self, label: str) -> str:
        """Return the nearest name, or what to give instead."""
        if not self.names:
            return "the classes of this model have no names: give numbers from 0"
        return textwrap.shorten(nearest(label, self.names), _LONGEST, placeholder=" ...")
