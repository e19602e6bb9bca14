"""The results of a run: ``results.json``."""

import math
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gan import counts, durations, records
from gan.runs.hints import SAMPLE, next_commands

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "torchmetrics", "torch-fidelity")


def commit() -> str | None:
    """Return the commit of the source tree, with ``+`` at the end if it has changes."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    except OSError:
        return None
    return head.stdout.strip() + "+" * bool(changes.stdout.strip()) or None


@dataclass
class Results:
    """The content of ``results.json``.

    Attributes:
        run: the run folder.
        name: of the run, or ``None``.
        steps: generator updates done.
        images: real images shown to the discriminator.
        images_per_second: in the last record of training.
        seconds: of training, from the first step of the command to its last, without measuring.
        seed: of the run.
        monitor: name of the metric by which the best checkpoint is chosen.
        final: the metrics of the last step.
        best: the metrics of the best step.
        baseline: the same metrics of real images that are not used in training.
        protocols: short name of the protocol of each metric that ranks models; values under
            different protocols cannot be compared.
        stamp: protocol of all metrics.
        versions: of the packages that can change a result.
        commit: of the source tree; ``+`` marks uncommitted changes.
        hardware: the device.
        higher_is_better: of the monitored metric.
        seconds_measuring: of all measuring, with the training of a classifier and the statistics of
            real images; ``None`` in results of version 0.1.
        references: the same metrics of other images in the place of the model's, such as of the
            degraded ones and of classical restorations, by what they are.
        test: the metrics of the best checkpoint on the test split, which chose nothing: where a
            validation split chose the checkpoint, or early stopping the length.
        test_protocols: as `protocols`, of `test`.
        test_stamp: as `stamp`, of `test`.
        stopped: why early stopping ended the run, or ``None``.
        seconds_total: run time of the command; ``None`` in results of version 0.1, whose
            ``seconds`` have this meaning.
        parameters: of each network by its letter, such as G and D; empty in results of earlier
            versions.
        init: where the weights of step 0 are from, the content of ``init.json``, or ``None``.
    """

    run: str
    name: str | None
    steps: int
    images: int
    images_per_second: float
    seconds: float
    seed: int
    monitor: str | None
    final: dict[str, float]
    best: dict[str, float]
    baseline: dict[str, float]
    protocols: dict[str, str]
    stamp: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    hardware: str
    higher_is_better: bool = False
    seconds_measuring: float | None = None
    seconds_total: float | None = None
    references: dict[str, dict[str, float]] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    test_protocols: dict[str, str] = field(default_factory=dict)
    test_stamp: dict[str, Any] = field(default_factory=dict)
    stopped: str | None = None
    init: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path) -> "Results | None":
        """Return the results of a run, or ``None`` if it has none.

        Raises:
            InputError: if the file holds something else.
        """
        content = records.read(folder / "results.json", cls, "result of a run")
        return None if content is None else cls(**content)

    @property
    def score(self) -> float | None:
        """Return the best value of the monitored metric."""
        return self.best.get(self.monitor) if self.monitor else None

    def finished(self, steps: int) -> bool:
        """Return whether a run of ``steps`` steps is at its end, or was stopped early."""
        return self.steps >= steps or self.stopped is not None

    @property
    def best_step(self) -> int:
        """Return the step of the best metrics, or the last without any."""
        step = self.best.get("step", self.steps)
        return int(step) if math.isfinite(step) else self.steps

    def save(self) -> None:
        """Write ``results.json`` atomically."""
        records.write(Path(self.run) / "results.json", asdict(self))

    @property
    def runtime(self) -> float:
        """Return the seconds that the command took."""
        return self.seconds if self.seconds_total is None else self.seconds_total

    def show(
        self,
        planned: int = 0,
        uses: Sequence[tuple[str, str]] = (SAMPLE,),
        allowed: Sequence[str] = (),
    ) -> None:
        """Print the metrics, where samples and run folder are, and commands to go on with.

        Args:
            planned: steps of the run, if it was stopped before.
            uses: commands on such a run; see :func:`~gan.runs.hints.next_commands`.
            allowed: packages of classes that the run names, besides this project's.
        """
        print(self._summary())
        if self.stopped is not None:
            print(f"stopped:    {self.stopped}")
        if self.final:
            Console(highlight=False).print(self._table())
        pictures = sorted((Path(self.run) / "samples").glob("*.png"))
        if pictures:
            print(f"samples:    {pictures[-1]}")
        print(f"run folder: {self.run}")
        commands = next_commands(Path(self.run), self._more(planned), uses, allowed)
        lines = "\n            ".join(commands)
        print(f"next:       {lines}")

    def _more(self, planned: int) -> str:
        """Return the setting with which the run goes on."""
        if self.stopped is not None:
            return "stop.patience=null"
        return f"steps={planned if planned > self.steps else 2 * self.steps}"

    def _summary(self) -> str:
        """Return the length of the run in steps, images and time."""
        done = f"{counts.show(self.steps, 'step')}, {counts.show(self.images, 'image')}"
        text = f"{done}; {durations.show(self.seconds)}"
        measuring = durations.show(self.seconds_measuring or 0.0)
        return f"{text} of training, {f'{measuring} of measuring' if self.final else 'no metrics'}"

    def _table(self) -> Table:
        """Return the last and the best metrics by which models are ranked, or else all."""
        columns = {**self.references, "last": self.final, "best": self.best}
        columns |= {"best, on test": self.test} if self.test else {}
        columns |= {"unseen reals": self.baseline}
        table = Table("metric")
        for column in columns:
            table.add_column(column, justify="right")
        for name in sorted(self.protocols.keys() & self.final.keys()):
            cells = columns.values()
            table.add_row(name, *(f"{c[name]:.3f}" if name in c else "" for c in cells))
        steps = {"last": self.steps, "best": self.best_step, "best, on test": self.best_step}
        table.add_row("step", *(str(steps.get(column, "")) for column in columns))
        return table
