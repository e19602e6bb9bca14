"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from tqdm import tqdm

from gan import durations, processes

T = TypeVar("T")
INTERVAL = 30.0  # seconds between two lines
_bar = partial(tqdm, dynamic_ncols=True)
_CLOCK = ("%H:%M", "%Y-%m-%d %H:%M")


def _clock(end: float) -> str:
    """Return a time in seconds since 1970 as local time, with its date if it is not today."""
    local = time.localtime(end)
    return time.strftime(_CLOCK[local[:3] != time.localtime()[:3]], local)


def on_terminal() -> bool:
    """Return whether the standard error is a terminal."""
    return sys.stderr.isatty()


class Lines:
    """Progress as plain lines on the standard error, with the methods of tqdm that are used here.

    Args:
        name: of the work.
        total: number of units.
        unit: of the work.
        initial: units that were done before.
        interval: seconds between two lines; the first comes after that time.
        leave: also write a line at the end.
    """

    def __init__(
        self,
        name: str,
        total: int,
        unit: str = "step",
        initial: int = 0,
        interval: float = INTERVAL,
        leave: bool = False,
    ) -> None:
        self.name, self.total, self.unit, self.interval = name, total, unit, interval
        self.count, self.initial, self.leave = initial, initial, leave
        self.figures: dict[str, str] = {}
        self._started = self._written = time.monotonic()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set_postfix(self, figures: Mapping[str, str], refresh: bool = False) -> None:
        """Set the figures of the next line."""
        self.figures = dict(figures)

    def update(self, n: int = 1) -> None:
        """Count units, and write a line if it is due."""
        self.count += n
        if time.monotonic() - self._written >= self.interval:
            self._write()

    def close(self) -> None:
        """Write the last line if it is wanted."""
        if self.leave:
            self._write(ended=True)

    def _write(self, ended: bool = False) -> None:
        """Write a line."""
        self._written = time.monotonic()
        print(self._line(ended), file=sys.stderr, flush=True)

    def _line(self, ended: bool) -> str:
        """Return count, share, figures and the time that is left, or was taken."""
        share = self.count / self.total if self.total else 1.0
        figures = [f"{name} {value}" for name, value in self.figures.items()]
        parts = [f"{self.unit} {self.count:,} of {self.total:,} ({share:.0%})", *figures]
        done, elapsed = self.count - self.initial, self._written - self._started
        if ended or self.count >= self.total:
            parts.append(f"took {durations.show(elapsed)}")
        elif done:
            left = (self.total - self.count) * elapsed / done
            parts.append(f"{durations.show(left)} left, until {_clock(time.time() + left)}")
        return f"{self.name}: {', '.join(parts)}"


def bar(
    name: str,
    total: int,
    unit: str = "step",
    *,
    delay: float = 0,
    initial: int = 0,
    refresh: float = 0.1,
    interval: float = INTERVAL,
    leave: bool = False,
) -> "tqdm[Any] | Lines":
    """Return the progress of work, shown by the first process alone.

    Args:
        name: of the work.
        total: number of units.
        unit: of the work.
        delay: seconds before a bar appears.
        initial: units that were done before.
        refresh: smallest number of seconds between two states of a bar.
        interval: seconds between two lines, where the standard error is no terminal.
        leave: keep the bar, or write a line, at the end.
    """
    if processes.rank() > 0:
        return Lines(name, total, interval=math.inf)
    if not on_terminal():
        return Lines(name, total, unit, initial, interval, leave)
    return _bar(
        None, name, total, leave, unit=unit, mininterval=refresh, initial=initial, delay=delay
    )


def track(
    items: Iterable[T], name: str, total: int, unit: str = "step", delay: float = 0
) -> Iterator[T]:
    """Yield the items, and show the progress; arguments as in :func:`bar`."""
    with bar(name, total, unit, delay=delay) as progress:
        for item in items:
            yield item
            progress.update()
