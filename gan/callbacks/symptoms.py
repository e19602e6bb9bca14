"""Symptoms of failed training, and likely causes of divergence."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

Readings = Mapping[str, float]


@dataclass
class History:
    """Readings of a run.

    Attributes:
        readings: of the game at each check, with the step, oldest first.
        diversity: mean distance between samples divided by that between real images, at each
            measurement.
        coverage: at each evaluation, if it is measured.
        class_diversity: distance of samples to the nearest one of their class divided by that of
            real images, at each measurement.
        class_variety: the same of features, at each evaluation, if it is measured.
    """

    readings: list[dict[str, float]] = field(default_factory=list)
    diversity: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    class_diversity: list[float] = field(default_factory=list)
    class_variety: list[float] = field(default_factory=list)

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
    """A symptom of failed training.

    Attributes:
        name: in logs and alerts.
        remedy: settings to try.
    """

    name: str
    remedy: str

    @abstractmethod
    def detect(self, history: History) -> str | None:
        """Return what shows the symptom, or ``None`` if it is absent."""


class ModeCollapse(Symptom):
    """Samples become similar (mode collapse).

    Args:
        fall: share of the best diversity or coverage below which the latest one is a symptom.
        least: smallest diversity after ``rounds`` measurements.
        rounds: measurements at the start in which similar samples are no symptom.
    """

    name = "mode collapse"
    remedy = (
        "regularizers=[r1] with critic_norm=none, a larger batch_size, or a lower learning rate"
    )

    def __init__(self, fall: float = 0.5, least: float = 0.2, rounds: int = 5) -> None:
        self.fall, self.least, self.rounds = fall, least, rounds

    def detect(self, history: History) -> str | None:
        """Return the fall of diversity or coverage below their best value."""
        for name in ("diversity", "coverage"):
            values: list[float] = getattr(history, name)
            if values and values[-1] < self.fall * max(values):
                return f"{name} of samples fell from {max(values):.2f} to {values[-1]:.2f}"
        if len(history.diversity) > self.rounds and history.diversity[-1] < self.least:
            return f"samples differ {history.diversity[-1]:.2f} times as much as real images do"
        return None


class ClassCollapse(Symptom):
    """Samples of one class are copies of a few images.

    Args:
        least: smallest diversity or variety within classes after ``rounds`` measurements.
        rounds: measurements at the start in which similar samples are no symptom.
    """

    name = "collapse within classes"
    remedy = (
        "a smaller weight of the classifier, conditioning=projection, augment=diffaugment, or "
        "regularizers=[r1] with critic_norm=none"
    )

    def __init__(self, least: float = 0.3, rounds: int = 2) -> None:
        self.least, self.rounds = least, rounds

    def detect(self, history: History) -> str | None:
        """Return the latest value that is below the smallest one."""
        for values in (history.class_diversity, history.class_variety):
            if len(values) > self.rounds and values[-1] < self.least:
                return (
                    f"the nearest sample of the same class is {values[-1]:.2f} times as far as "
                    "among real images"
                )
        return None


class DeadDiscriminator(Symptom):
    """The discriminator's loss is zero, so that the generator learns nothing more.

    Args:
        loss: magnitude that counts as zero.
        checks: in a row.
    """

    name = "dead discriminator"
    remedy = "regularizers=[r1] with critic_norm=none, or a lower optimizer.discriminator.lr"

    def __init__(self, loss: float = 1e-4, checks: int = 5) -> None:
        self.loss, self.checks = loss, checks

    def detect(self, history: History) -> str | None:
        """Return the bound that its latest adversarial losses are below."""
        losses = [r.get("discriminator/adversarial", math.inf) for r in history.readings]
        latest = losses[-self.checks :]
        if len(latest) < self.checks or not all(abs(loss) < self.loss for loss in latest):
            return None
        return f"its loss was below {self.loss:g} in the last {self.checks} checks"


class ConstantDiscriminator(Symptom):
    """The discriminator gives real and fake images the same logit, as when its ReLUs are all 0.

    Args:
        gap: distance of the mean logits that counts as none.
        share: the same, as a share of the mean logit of real images.
        checks: in a row.
    """

    name = "constant discriminator"
    remedy = "a lower optimizer.discriminator.lr, a wider discriminator, or n_critic=2 or more"

    def __init__(self, gap: float = 0.01, share: float = 0.02, checks: int = 5) -> None:
        self.gap, self.share, self.checks = gap, share, checks

    def detect(self, history: History) -> str | None:
        """Return in how many checks the mean logits were equal."""
        latest = history.readings[-self.checks :]
        if len(latest) < self.checks or not all(map(self._is_constant, latest)):
            return None
        return f"real and fake images had equal mean logits in the last {self.checks} checks"

    def _is_constant(self, reading: Readings) -> bool:
        """Return whether the mean logits of a reading are equal."""
        real, fake = (reading.get(f"logits/{kind}", math.nan) for kind in ("real", "fake"))
        return real == fake or abs(real - fake) < min(self.gap, self.share * abs(real))


class ExplodingLogits(Symptom):
    """The discriminator's logits diverge.

    Args:
        bound: largest magnitude of a mean logit.
    """

    name = "exploding logits"
    remedy = "regularizers=[r1] with critic_norm=none, lecam, or a lower optimizer.discriminator.lr"

    def __init__(self, bound: float = 1000.0) -> None:
        self.bound = bound

    def detect(self, history: History) -> str | None:
        """Return the largest of the latest mean logits."""
        latest = History(history.readings[-1:]).largest("logits/")
        return f"the mean logit is {latest:.4g}" if latest > self.bound else None


SYMPTOMS = (
    ModeCollapse,
    ClassCollapse,
    DeadDiscriminator,
    ConstantDiscriminator,
    ExplodingLogits,
)


@dataclass(frozen=True)
class Cause:
    """A cause of losses that are not finite.

    Attributes:
        detect: returns from the history what shows the cause, or ``None``.
        remedy: settings to try.
    """

    detect: Callable[[History], str | None]
    remedy: str


def _scale(history: History) -> str | None:
    scales = [value for _, value in history.values("loss_scale/")]
    low = min(scales, default=1)
    return f"float16 overflows even at a loss scale of {low:g}" if low < 1 else None


def _rate(history: History) -> str | None:
    rate = history.largest("lr/")
    return f"the learning rate is {rate:g}" if rate > 0.01 else None


def _logits(history: History) -> str | None:
    logit = history.largest("logits/")
    return f"the mean logit grew to {logit:.3g}" if logit > 1000 else None


def _gradients(history: History) -> str | None:
    for player in ("discriminator", "generator"):
        norms = [value for _, value in history.values(f"gradient_norm/{player}")]
        if norms and max(norms) > 100 * median(norms):
            return f"the gradient of the {player} grew to {max(norms):.3g}"
    return None


CAUSES = (
    Cause(_scale, "take accelerator=gpu_amp, which is bf16"),
    Cause(_rate, "lower optimizer.generator.lr and optimizer.discriminator.lr"),
    Cause(_logits, ExplodingLogits.remedy),
    Cause(_gradients, "set clip_norm.generator and clip_norm.discriminator, or lower the rates"),
    Cause(
        lambda history: "no reading before gave a sign",
        "lower the learning rates, or regularizers=[r1] with critic_norm=none",
    ),
)


def likely_cause(history: History) -> tuple[str, str]:
    """Return the likely cause of losses that are not finite, and the remedy."""
    for cause in CAUSES:
        finding = cause.detect(history)
        if finding is not None:
            return finding, cause.remedy
    raise AssertionError("the last cause always fits")
