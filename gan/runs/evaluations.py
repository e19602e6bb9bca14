"""The file in which evaluations of a run add up."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from gan.errors import InputError


@dataclass
class Record:
    """One evaluation of one set of weights with one sampling seed.

    Attributes:
        checkpoint: "best" or "last".
        step: generator updates behind the weights.
        weights: digest of the weights that generated.
        seed: of the latents and the labels.
        protocol: short name of the stamp.
        stamp: how everything here was measured.
        protocols: of each value that ranks models.
        values: of the metrics.
        seconds: that it took.
    """

    checkpoint: str
    step: int
    weights: str
    seed: int
    protocol: str
    stamp: dict[str, Any]
    protocols: dict[str, str]
    values: dict[str, float]
    seconds: float

    @property
    def key(self) -> tuple[str, int, str]:
        """Return what the values depend on."""
        return self.weights, self.seed, self.protocol


@dataclass
class Spread:
    """Mean and sample standard deviation of a value over sampling seeds.

    Attributes:
        mean: over the seeds.
        std: with n - 1, ``None`` for a single seed.
        seeds: how many.
    """

    mean: float
    std: float | None
    seeds: int

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Return the spread of values, one a seed."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, len(values))

    def __str__(self) -> str:
        """Return the mean with its deviation."""
        deviation = "" if self.std is None else f" ± {self.std:.2g}"
        return f"{self.mean:.4g}{deviation}"


class Ledger:
    """``evaluation.json``: every record that was ever made of a run, and their means.

    Args:
        path: of the file; what it holds already is kept.

    Raises:
        InputError: if the file is not such a ledger.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        if path.exists():
            try:
                content = json.loads(path.read_text())
                self.records = [Record(**record) for record in content["records"]]
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{path} is no evaluation: move it away") from error

    def find(self, weights: str, seed: int, protocol: str) -> Record | None:
        """Return the record of an evaluation that was made before, if it was."""
        key = (weights, seed, protocol)
        return next((record for record in self.records if record.key == key), None)

    def add(self, record: Record) -> None:
        """Keep a record and write the file, whole or not at all."""
        self.records.append(record)
        content = {"summary": self.summary(), "records": [asdict(r) for r in self.records]}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(part, self.path)

    def groups(self) -> list[list[Record]]:
        """Return the records in groups that differ in their seed alone."""
        found: dict[tuple[str, str], list[Record]] = {}
        for record in self.records:
            found.setdefault((record.weights, record.protocol), []).append(record)
        return list(found.values())

    def summary(self) -> list[dict[str, Any]]:
        """Return mean and deviation over seeds, one entry a group."""
        return [
            {
                **{k: getattr(group[0], k) for k in ("checkpoint", "step", "weights", "protocol")},
                "values": {name: asdict(spread) for name, spread in spreads(group).items()},
            }
            for group in self.groups()
        ]


def spreads(records: Iterable[Record]) -> Mapping[str, Spread]:
    """Return mean and deviation of each value over records that differ in their seed alone."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.values.items():
            if math.isfinite(value):
                values.setdefault(name, []).append(value)
    return {name: Spread.of(found) for name, found in values.items()}
