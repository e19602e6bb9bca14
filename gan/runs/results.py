"""The results of a run: ``results.json``."""

import math
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gan import records

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
        seconds: run time of the command.
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

    @property
    def best_step(self) -> int:
        """Return the step of the best metrics, or the last without any."""
        step = self.best.get("step", self.steps)
        return int(step) if math.isfinite(step) else self.steps

    def save(self) -> None:
        """Write ``results.json`` atomically."""
        records.write(Path(self.run) / "results.json", asdict(self))

    def show(self) -> None:
        """Print a small table, and the paths of the run folder and the latest samples."""
        table = Table(title=f"{self.steps} steps, {self.images} images, {self.seconds:.0f} s")
        for column in ("metric", "last", "best", "unseen reals"):
            table.add_column(column, justify="left" if column == "metric" else "right")
        for name in sorted(set(self.final) - {"step", "images"}):
            sources = (self.final, self.best, self.baseline)
            table.add_row(name, *(f"{s[name]:.3f}" if name in s else "" for s in sources))
        table.add_row("step", f"{self.steps}", f"{self.best_step}")
        console = Console()
        console.print(table)
        pictures = sorted((Path(self.run) / "samples").glob("*.png"))
        if pictures:
            console.print(f"samples:    {pictures[-1]}", markup=False, soft_wrap=True)
        console.print(f"run folder: {self.run}", markup=False, soft_wrap=True)
