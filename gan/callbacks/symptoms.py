"""What goes wrong with a GAN, and by what it is known."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

Readings = Mapping[str, float]


@dataclass
class Chart:
    """What the doctor has seen of a run.

    Attributes:
        readings: of the game at each look, the step among them, oldest first.
        diversity: mean distance between two samples over that between two real images, at each
            round.
        coverage: of the metrics so far, if it was measured.
    """

    readings: list[dict[str, float]] = field(default_factory=list)
    diversity: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)

    def values(self, *parts: str) -> Iterator[tuple[str, float]]:
        """Yield the finite readings whose names contain one of ``parts``, oldest first."""
        for reading in self.readings:
            for name, value in reading.items():
                if math.isfinite(value) and any(part in name for part in parts):
                    yield name, value

    def largest(self, *parts: str) -> float:
        """Return the largest magnitude among :meth:`values`, 0 if there are none."""
        return max((abs(value) for _, value in self.values(*parts)), default=0.0)


class Symptom(ABC):
    """A way to go wrong.

    Attributes:
        name: by which logs and alerts call it.
        remedy: what to try.
    """

    name: str
    remedy: str

    @abstractmethod
    def evidence(self, chart: Chart) -> str | None:
        """Return what speaks for it, or ``None`` where nothing does."""


class ModeCollapse(Symptom):
    """Samples grow alike.

    Args:
        fall: share of the best value so far below which diversity or coverage counts as fallen.
        least: diversity that a run must have reached after ``rounds``.
        rounds: of patience at the start, while samples are still alike.
    """

    name = "mode collapse"
    remedy = (
        "regularizers=[r1] with critic_norm=none, a larger batch_size, or a lower learning rate"
    )

    def __init__(self, fall: float = 0.5, least: float = 0.2, rounds: int = 5) -> None:
        self.fall, self.least, self.rounds = fall, least, rounds

    def evidence(self, chart: Chart) -> str | None:
        """Compare the latest diversity and coverage with their best."""
        for name in ("diversity", "coverage"):
            values: list[float] = getattr(chart, name)
            if values and values[-1] < self.fall * max(values):
                return f"{name} of samples fell from {max(values):.2f} to {values[-1]:.2f}"
        if len(chart.diversity) > self.rounds and chart.diversity[-1] < self.least:
            return f"samples differ {chart.diversity[-1]:.2f} times as much as real images do"
        return None


class DeadDiscriminator(Symptom):
    """The discriminator's loss is zero, so that the generator learns nothing more.

    Args:
        loss: magnitude that counts as zero.
        looks: in a row.
    """

    name = "dead discriminator"
    remedy = "regularizers=[r1] with critic_norm=none, or a lower optimizer.discriminator.lr"

    def __init__(self, loss: float = 1e-4, looks: int = 5) -> None:
        self.loss, self.looks = loss, looks

    def evidence(self, chart: Chart) -> str | None:
        """Look at its latest adversarial losses."""
        losses = [r.get("discriminator/adversarial", math.inf) for r in chart.readings]
        latest = losses[-self.looks :]
        if len(latest) < self.looks or not all(abs(loss) < self.loss for loss in latest):
            return None
        return f"its loss was below {self.loss:g} in the last {self.looks} looks"


class ExplodingLogits(Symptom):
    """The discriminator's logits leave all bounds.

    Args:
        bound: magnitude beyond which they do.
    """

    name = "exploding logits"
    remedy = "regularizers=[r1] with critic_norm=none, lecam, or a lower optimizer.discriminator.lr"

    def __init__(self, bound: float = 1000.0) -> None:
        self.bound = bound

    def evidence(self, chart: Chart) -> str | None:
        """Look at the latest mean logits."""
        latest = Chart(chart.readings[-1:]).largest("logits/")
        return f"the mean logit is {latest:.4g}" if latest > self.bound else None


SYMPTOMS = (ModeCollapse, DeadDiscriminator, ExplodingLogits)


@dataclass(frozen=True)
class Cause:
    """Why numbers cease to be numbers.

    Attributes:
        evidence: chart -> what speaks for it, or ``None``.
        remedy: what to try.
    """

    evidence: Callable[[Chart], str | None]
    remedy: str


def _scale(chart: Chart) -> str | None:
    scales = [value for _, value in chart.values("loss_scale/")]
    low = min(scales, default=1)
    return f"float16 overflows even at a loss scale of {low:g}" if low < 1 else None


def _rate(chart: Chart) -> str | None:
    rate = chart.largest("lr/")
    return f"the learning rate is {rate:g}" if rate > 0.01 else None


def _logits(chart: Chart) -> str | None:
    logit = chart.largest("logits/")
    return f"the mean logit grew to {logit:.3g}" if logit > 1000 else None


def _gradients(chart: Chart) -> str | None:
    for player in ("discriminator", "generator"):
        norms = [value for _, value in chart.values(f"gradient_norm/{player}")]
        if norms and max(norms) > 100 * median(norms):
            return f"the gradient of the {player} grew to {max(norms):.3g}"
    return None


CAUSES = (
    Cause(_scale, "take accelerator=gpu_amp, which is bf16"),
    Cause(_rate, "lower optimizer.generator.lr and optimizer.discriminator.lr"),
    Cause(_logits, ExplodingLogits.remedy),
    Cause(_gradients, "set clip_norm.generator and clip_norm.discriminator, or lower the rates"),
    Cause(
        lambda chart: "no reading before gave a sign",
        "lower the learning rates, or regularizers=[r1] with critic_norm=none",
    ),
)


def likely_cause(chart: Chart) -> tuple[str, str]:
    """Return the likely cause of non-finite numbers, and the remedy."""
    for cause in CAUSES:
        evidence = cause.evidence(chart)
        if evidence is not None:
            return evidence, cause.remedy
    raise AssertionError("the last cause always fits")
