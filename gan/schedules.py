"""Schedules: pure functions of images seen."""

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
    """A course from ``start`` at image ``begin`` to ``final`` at image ``end``."""

    def __init__(
        self, end: float, begin: float = 0, final: float = 0.0, start: float = 1.0
    ) -> None:
        if not 0 <= begin < end:
            raise ValueError(f"schedule: begin={begin} must lie in [0, end) and end={end}")
        self.begin, self.end, self.final, self.start = begin, end, final, start

    def progress(self, images: int) -> float:
        return min(max((images - self.begin) / (self.end - self.begin), 0.0), 1.0)


class Linear(_Ramp):
    """A straight line from ``start`` at image ``begin`` to ``final`` at image ``end``."""

    def __call__(self, images: int) -> float:
        """Return the multiplier after ``images`` real images."""
        return self.start + (self.final - self.start) * self.progress(images)


class Cosine(_Ramp):
    """Half a cosine from ``start`` at image ``begin`` to ``final`` at image ``end``."""

    def __call__(self, images: int) -> float:
        """Return the multiplier after ``images`` real images."""
        return self.final + (self.start - self.final) * 0.5 * (
            1 + math.cos(math.pi * self.progress(images))
        )


class Growth:
    """log2 of the resolution that a growing network has after so many images.

    At each resolution it trains for ``stable`` images, and the next fades in over ``fade`` images,
    linearly (Karras et al., 2018, section 2).

    Args:
        resolution: in the end, pixels a side.
        start: at first, pixels a side; the end where that is smaller.
        stable: images.
        fade: images; 0 switches.
        progressive: ``False`` starts at the end.

    Raises:
        ValueError: on an impossible number.
    """

    def __init__(
        self,
        resolution: int,
        start: int = 8,
        stable: float = 600_000,
        fade: float = 600_000,
        progressive: bool = True,
    ) -> None:
        if start < 4 or start & (start - 1) or stable < 0 or fade < 0 or stable + fade == 0:
            raise ValueError(
                f"growth: start={start} must be a power of two from 4, stable={stable} and "
                f"fade={fade} numbers of images, not both 0"
            )
        self.end = math.log2(resolution)
        self.begin = min(math.log2(start), self.end) if progressive else self.end
        self.stable, self.fade = stable, fade

    def __call__(self, images: int) -> float:
        """Return the level; between two integers the finer resolution counts for the fraction."""
        phase, rest = divmod(images, self.stable + self.fade)
        faded = max(rest - self.stable, 0) / self.fade if self.fade else 0.0
        return min(self.begin + phase + faded, self.end)
