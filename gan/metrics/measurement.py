"""The values of one evaluation of a run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """The values of one evaluation of a run.

    Attributes:
        step: generator updates done.
        images: real images shown to the discriminator.
        values: each value by its name.
        best: the best value so far of each that ranks models, by its name.
        best_step: that of the best monitored value, or ``None`` where nothing is monitored.
        per_class: names of values that there are for each class besides, as "domain/recall/3".
        class_names: in the order of the labels; empty if they have none.
    """

    step: int
    images: int
    values: Mapping[str, float]
    best: Mapping[str, float]
    best_step: int | None = None
    per_class: Collection[str] = ()
    class_names: Sequence[str] = ()

    @property
    def record(self) -> dict[str, float]:
        """Return step, images and all values."""
        return {"step": self.step, "images": self.images, **self.values}

    @property
    def overall(self) -> dict[str, float]:
        """Return the values that are not of one class."""
        return {k: v for k, v in self.values.items() if self._label(k) is None}

    @property
    def classes(self) -> dict[int, dict[str, float]]:
        """Return the values of each class that was measured, by label and name, in order."""
        rows: dict[int, dict[str, float]] = {}
        for key, value in self.values.items():
            label = self._label(key)
            if label is not None:
                rows.setdefault(label, {})[key.rpartition("/")[0]] = value
        return dict(sorted(rows.items()))

    def class_name(self, label: int) -> str:
        """Return the name of a class, or its number where it has none."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    def _label(self, key: str) -> int | None:
        """Return the label of the class that a value is of, or ``None``."""
        name, _, last = key.rpartition("/")
        return int(last) if name in self.per_class and last.isdigit() else None
