"""Schedules: pure functions from images seen to a multiplier."""

import math
from abc import ABC, abstractmethod


class Schedule(ABC):
    """A multiplier, of a learning rate say, as a function of images seen."""

    @abstractmethod
    def __call__(self, images: int) -> float:
        """Return the multiplier after ``images`` real images."""


class Constant(Schedule):
    """One, always."""

    def __call__(self, images: int) -> float:
        """Return 1."""
        return 1.0


class _Ramp(Schedule):
    """A course from 1 at image ``begin`` to ``final`` at image ``end``."""

    def __init__(self, end: int, begin: int = 0, final: float = 0.0) -> None:
        if not 0 <= begin < end:
            raise ValueError(f"schedule: begin={begin} must lie in [0, end) and end={end}")
        self.begin, self.end, self.final = begin, end, final

    def progress(self, images: int) -> float:
        return min(max((images - self.begin) / (self.end - self.begin), 0.0), 1.0)


class Linear(_Ramp):
    """A straight line from 1 at image ``begin`` down to ``final`` at image ``end``."""

    def __call__(self, images: int) -> float:
        """Return the multiplier after ``images`` real images."""
        return 1.0 + (self.final - 1.0) * self.progress(images)


class Cosine(_Ramp):
    """Half a cosine from 1 at image ``begin`` down to ``final`` at image ``end``."""

    def __call__(self, images: int) -> float:
        """Return the multiplier after ``images`` real images."""
        return self.final + (1.0 - self.final) * 0.5 * (
            1 + math.cos(math.pi * self.progress(images))
        )
