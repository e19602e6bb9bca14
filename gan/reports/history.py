"""The curves of a run: ``metrics.csv`` as columns of numbers."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path

import numpy as np

from gan.errors import InputError
from gan.files import open_file
from gan.reports.per_class import is_of_class

_AXES = ("step", "images")
_RATE = "images_per_second"
_PROTOCOL = "protocol"
_BEST = "best/"  # prefix of the best values so far
_HOUR = 3600.0


@dataclass
class Track:
    """Values that were logged at the same steps.

    Attributes:
        step: generator updates.
        images: real images shown to the discriminator.
        hours: of training up to there, without measuring.
        values: by name, one for each step.
    """

    step: list[float]
    images: list[float]
    hours: list[float]
    values: dict[str, list[float]]

    def thinned(self, most: int) -> "Track":
        """Return the track with at most so many steps, the first and the last among them."""
        count = len(self.step)
        if count <= most:
            return self
        kept = [round(i * (count - 1) / (most - 1)) for i in range(most)]
        columns = {name: [values[i] for i in kept] for name, values in self.values.items()}
        step, images, hours = (
            [axis[i] for i in kept] for axis in (self.step, self.images, self.hours)
        )
        return Track(step, images, hours, columns)


@dataclass
class History:
    """What a run logged.

    Attributes:
        tracks: one for each set of steps at which something was logged.
        protocol: short name of the last stamp of all metrics, "" without any.
        measured: names of the values that depend on it.
        steps: the last step.
        hours: of training, over all commands that continued the run; ``None`` where no speed was
            logged.
    """

    tracks: list[Track] = field(default_factory=list)
    protocol: str = ""
    measured: list[str] = field(default_factory=list)
    steps: int = 0
    hours: float | None = None

    @classmethod
    def read(cls, folder: Path) -> "History":
        """Return the history of a run; metrics under earlier protocols are left out.

        Raises:
            InputError: if ``metrics.csv`` is no table of numbers.
        """
        path = folder / "metrics.csv"
        if not path.exists():
            return cls()
        try:
            with TextIOWrapper(open_file(path), encoding="utf-8", newline="") as file:
                head, *rows = list(csv.reader(file, strict=True)) or [[]]
            return cls._of(head, rows)
        except (csv.Error, ValueError, IndexError) as error:
            raise InputError(f"{path} is no table of a run ({error}): copy it again") from error

    @classmethod
    def _of(cls, head: Sequence[str], rows: Sequence[Sequence[str]]) -> "History":
        """Return the history of the rows of a table."""
        if "step" not in head or any(len(row) != len(head) for row in rows):
            raise ValueError("a row is longer or shorter than the head, or no column is the step")
        cells = dict(zip(head, zip(*rows, strict=True) if rows else [()] * len(head), strict=True))
        protocols = cells.pop(_PROTOCOL, ("",) * len(rows))
        last = next((name for name in reversed(protocols) if name), "")
        axes = _axes(cells)
        measured, places = [], dict[tuple[int, ...], list[str]]()
        for name, column in cells.items():
            filled = [i for i, cell in enumerate(column) if cell]
            if name in _AXES or name.startswith(_BEST) or is_of_class(name) or not filled:
                continue
            if all(protocols[i] for i in filled):
                measured.append(name)
                filled = [i for i in filled if protocols[i] == last]
            places.setdefault(tuple(filled), []).append(name)
        tracks = [_track(cells, axes, *place) for place in places.items()]
        steps, _, hours = axes
        done = float(hours[-1]) if len(hours) and math.isfinite(hours[-1]) else None
        return cls(tracks, last, measured, int(steps[-1]) if len(steps) else 0, done)

    def cut_into(self, most: int) -> Iterator[Track]:
        """Yield the tracks with at most so many steps each."""
        return (track.thinned(most) for track in self.tracks)


def _numbers(column: Sequence[str]) -> np.ndarray:
    """Return a column as float64, NaN where it is empty."""
    return np.array([float(cell) if cell else math.nan for cell in column])


def _axes(cells: Mapping[str, Sequence[str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return steps, images seen and hours of training of each row."""
    steps = _numbers(cells["step"])
    absent = [""] * len(steps)
    images = _filled(steps, _numbers(cells.get("images", absent)))
    return steps, images, _hours(images, _numbers(cells.get(_RATE, absent)))


def _filled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return ``y`` over ``x`` with straight lines where it has gaps."""
    known = np.isfinite(y)
    return np.interp(x, x[known], y[known]) if known.any() else y


def _hours(images: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return the hours of training of each row.

    A rate is that of the images since the row with the last one.
    """
    known = np.isfinite(images) & (rates > 0)
    if not known.any():
        return np.full(len(images), math.nan)
    seen = images[known]
    ends = np.cumsum(np.diff(seen, prepend=0.0) / rates[known]) / _HOUR
    hours: np.ndarray = np.interp(
        images, np.concatenate([[0.0], seen]), np.concatenate([[0.0], ends])
    )
    return hours


def _track(
    cells: Mapping[str, Sequence[str]],
    axes: tuple[np.ndarray, np.ndarray, np.ndarray],
    rows: tuple[int, ...],
    names: list[str],
) -> Track:
    """Return the columns ``names`` at some rows."""
    kept = list(rows)
    values = {name: _numbers(cells[name])[kept].tolist() for name in names}
    step, images, hours = (axis[kept].tolist() for axis in axes)
    return Track(step, images, hours, values)
