"""The table of all logged numbers in the run folder."""

import csv
import time
from argparse import Namespace
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan.errors import InputError
from gan.files import open_file, replacement
from gan.metrics.evaluation import protocol

_INTERVAL = 5.0  # seconds between two writes, at least


class Table(Logger):
    """``metrics.csv``: one row for each logged step, one column for each name.

    A resumed run appends to the file and drops the rows after the step of the checkpoint;
    Lightning's CSVLogger deletes the file of an earlier run.

    Args:
        path: of the file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: dict[int, dict[str, Any]] = {}
        self._saved = 0.0
        self._unsaved = False

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return self.path.name

    @property
    def version(self) -> str:
        """Return an empty version: the run folder has none."""
        return ""

    @property
    def experiment(self) -> "Table":
        """Return the table itself."""
        return self

    def rewind(self, step: int) -> None:
        """Read the rows of an earlier part of the run, up to ``step``.

        Raises:
            InputError: if the file is no such table.
        """
        if not self.path.exists():
            return
        try:
            with TextIOWrapper(open_file(self.path), encoding="utf-8", newline="") as file:
                rows = {int(row["step"]): row for row in csv.DictReader(file, strict=True)}
            if any(None in row for row in rows.values()):
                raise ValueError("a row is longer than the head")
        except (csv.Error, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path} is no table of a run: move it away") from error
        self.rows = {k: v for k, v in rows.items() if k <= step}

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Add ``metrics`` to the row of ``step`` and write the file."""
        row = self.rows.setdefault(int(step or 0), {"step": step})
        row |= metrics
        self._unsaved = True
        if time.monotonic() - self._saved > _INTERVAL:
            self.save()

    @rank_zero_only
    def log_protocol(self, stamp: Mapping[str, Any], step: int) -> None:
        """Add the short name of the protocol of ``results.json`` to the row of ``step``."""
        self.log_metrics({"protocol": protocol(stamp)}, step)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Do nothing: the run folder has the config."""

    @rank_zero_only
    def save(self) -> None:
        """Write the file atomically, if something was logged since the last write."""
        if not self._unsaved:
            return
        columns = list(dict.fromkeys(name for row in self.rows.values() for name in row))
        with replacement(self.path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows[step] for step in sorted(self.rows))
        self._saved, self._unsaved = time.monotonic(), False

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last rows."""
        self.save()
