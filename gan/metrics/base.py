"""The class that all metrics share."""

from typing import ClassVar

Stamp = dict[str, str | int | float]


class Metric:
    """One or more values that describe a generator.

    `FeatureMetric` reads the features of its images, in training and in the command `evaluate`;
    `ModelMetric` reads the trained model itself, in `evaluate` alone.

    Attributes:
        per_class: names of values that there are for each class besides, as "precision/3".
    """

    per_class: ClassVar[tuple[str, ...]] = ()

    def stamp(self) -> Stamp:
        """Return the settings of the metric; values with other settings do not compare."""
        return {}
