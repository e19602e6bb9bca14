"""Schedules: functions of the number of images seen."""

import math
from abc import ABC, abstractmethod


class Schedule(ABC):
    """A multiplier, for example of a learning rate, as a function of images seen."""

    @abstractmethod
    def __call__(self, images: int) -> float:
        """Return the multiplier after ``images`` real images."""


class Constant(Schedule):
    """The constant 1."""

    def __call__(self, images: int) -> float:
        """Return 1."""
        return 1.0


class _Ramp(Schedule):
    """A function from ``start`` at image ``begin`` to ``final`` at image ``end``."""

    def __init__(
        self, end: float, begin: float = 0, final: float = 0.0, start: float = 1.0
    ) -> None:
        if not 0 <= begin < end:
            raise ValueError(f"schedule: begin={begin} must lie in [0, end) and end={end}")
        self.begin, self.end, self.final, self.start = begin, end, final, start

    def progress(self, images: int) -> float:
        """Return the fraction of the ramp after ``images`` real images, in [0, 1]."""
        return min(max((images - self.begin) / (self.end - self.begin), 0.0), 1.0)


class Linear(_Ramp):
    """A linear function from ``start`` at image ``begin`` to ``final`` at image ``end``."""

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
    """The log2 resolution of a progressively growing network, as a function of images seen.

    The network trains for ``stable`` images at each resolution; the next resolution fades in
    linearly over ``fade`` images (Karras et al., 2018, section 2).

    Args:
        resolution: final height and width in pixels.
        start: initial height and width in pixels, at most ``resolution``.
        stable: images.
        fade: images; 0 switches at once.
        progressive: ``False`` trains at the final resolution only.

    Raises:
        ValueError: if a number is out of range.
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
        """Return log2 of the resolution; a fraction is the weight of the next resolution."""
        phase, rest = divmod(images, self.stable + self.fade)
        faded = max(rest - self.stable, 0) / self.fade if self.fade else 0.0
        return min(self.begin + phase + faded, self.end)
