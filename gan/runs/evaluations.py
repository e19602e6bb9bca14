"""The file of all evaluations of a run."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from gan import records


@dataclass
class Record:
    """One evaluation of the weights of one checkpoint with one sampling seed.

    Attributes:
        checkpoint: "best" or "last".
        step: number of generator updates of the weights.
        weights: digest of the weights of the networks that are measured.
        seed: of the latents and the labels.
        protocol: short name of the stamp.
        stamp: protocol of all values.
        protocols: short name of the protocol of each value by which models are ranked.
        values: of the metrics.
        seconds: of wall-clock time.
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
        """Return weights, seed and protocol, on which the values depend."""
        return self.weights, self.seed, self.protocol


@dataclass
class Spread:
    """Mean and sample standard deviation of a value over sampling seeds.

    Attributes:
        mean: over the seeds.
        std: unbiased (n - 1), ``None`` for a single seed.
        seeds: number of seeds.
    """

    mean: float
    std: float | None
    seeds: int

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Return the spread of values, one for each seed."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, len(values))

    def __str__(self) -> str:
        """Return the mean with its deviation."""
        deviation = "" if self.std is None else f" ± {self.std:.2g}"
        return f"{self.mean:.4g}{deviation}"


class Evaluations:
    """``evaluation.json``: all records of a run, and their means over seeds.

    Args:
        path: of the file; its records are kept.

    Raises:
        InputError: if the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        expected = {"summary": list, "records": list[Record]}
        content = records.read(path, expected, "evaluation")
        self.records = [Record(**record) for record in content["records"]] if content else []

    def find(self, weights: str, seed: int, protocol: str) -> Record | None:
        """Return the record of an earlier evaluation, or ``None``."""
        key = (weights, seed, protocol)
        return next((record for record in self.records if record.key == key), None)

    def add(self, record: Record) -> None:
        """Append a record and write the file atomically."""
        self.records.append(record)
        content = {"summary": self.summary(), "records": [asdict(r) for r in self.records]}
        records.write(self.path, content)

    def groups(self) -> list[list[Record]]:
        """Return the records in groups that differ only in their seed."""
        groups: dict[tuple[str, str], list[Record]] = {}
        for record in self.records:
            groups.setdefault((record.weights, record.protocol), []).append(record)
        return list(groups.values())

    def summary(self) -> list[dict[str, Any]]:
        """Return mean and standard deviation over seeds of each group."""
        return [
            {
                **{k: getattr(group[0], k) for k in ("checkpoint", "step", "weights", "protocol")},
                "values": {name: asdict(spread) for name, spread in spreads(group).items()},
            }
            for group in self.groups()
        ]


def spreads(records: Iterable[Record]) -> Mapping[str, Spread]:
    """Return mean and deviation of each value over records that differ only in their seed."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.values.items():
            if math.isfinite(value):
                values.setdefault(name, []).append(value)
    return {name: Spread.of(numbers) for name, numbers in values.items()}
