"""The training doctor: detects failures of training, warns of them, and stops a diverged run."""

import logging
import math
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan import archives, counts, processes, records
from gan.algorithms.checkpoint import check_game, check_optimizers, current_version
from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.checkpoints import BY_QUALITY
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.symptoms import SYMPTOMS, History, likely_cause
from gan.errors import DivergedError, InputError
from gan.structure import Count

_log = logging.getLogger(__name__)
_SAMPLES = 64  # samples whose distances are measured
_CLASSES = 8  # classes within which they are measured
_KEPT = 20  # readings in the history


def mean_distance(images: Tensor) -> float:
    """Return the mean Euclidean distance between two of the images (n, C, H, W)."""
    return float(torch.pdist(images.float().flatten(1)).mean())


def class_spacing(images: Tensor, labels: Tensor) -> float:
    """Return the mean Euclidean distance of an image to the nearest other one of its class.

    Args:
        images: (n, C, H, W).
        labels: (n,), each class twice or more.
    """
    rows, labels = images.float().flatten(1), labels.to(images.device)
    apart = (labels[:, None] != labels).fill_diagonal_(True)
    exact = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    return float(exact.masked_fill(apart, math.inf).min(1).values.mean())


def some_of_each_class(labels: Tensor) -> Tensor:
    """Return indices of equally many images of the first classes, of 64 in all or fewer.

    Args:
        labels: (n,) of the images.

    Returns:
        Indices (m,), empty if one of the classes has less than two images.
    """
    classes = sorted(set(labels.tolist()))[:_CLASSES]
    members = [(labels == label).nonzero().flatten() for label in classes]
    count = min(_SAMPLES // len(classes), *map(len, members))
    return torch.cat([every[:count] for every in members if count > 1] or [labels[:0]])


class _State(TypedDict):
    """The state in a checkpoint."""

    readings: list[dict[str, float]]
    diversity: list[float]
    class_diversity: NotRequired[list[float]]  # absent in earlier versions
    warned: list[str]
    returns: Count
    next: Count


class Doctor(StepCallback):
    """Stop a run whose losses are not finite, and warn of failures that are typical of GANs.

    The steps with a loss that is not finite are counted on the device. The count is read every
    ``patience`` steps. After ``patience`` such steps in a row the run stops with ``diagnosis.json``
    in its folder, or returns to its best checkpoint. A gradient that is not finite appears in the
    losses of the next step.

    Warnings (the symptoms of :mod:`gan.callbacks.symptoms`) go to the log and, as alerts, to the
    loggers that accept them. A warning is repeated only after its symptom has disappeared.

    Acts before the metrics.

    Args:
        folder: the run folder.
        patience: number of steps in a row that are not finite.
        every: steps between two measurements of the diversity of samples, logged as ``diversity``.
        rollback: return to the weights of the best checkpoint, or of the last without one, with
            lower learning rates instead of stopping; the clock goes on.
        relief: factor of the learning rates at each rollback.
        rollbacks: number of rollbacks after which the run stops.
    """

    def __init__(
        self,
        folder: str,
        patience: int = 10,
        every: int = 500,
        rollback: bool = False,
        relief: float = 0.5,
        rollbacks: int = 3,
    ) -> None:
        for name, value in {"patience": patience, "every": every, "rollbacks": rollbacks}.items():
            if value < 1:
                raise InputError(f"doctor.{name}={value}: give a number from 1")
        if not 0 < relief < 1:
            raise InputError(f"doctor.relief={relief}: give a factor between 0 and 1")
        self.folder, self.patience, self.every = Path(folder), patience, every
        self.rollback, self.relief, self.rollbacks = rollback, relief, rollbacks
        self.history, self.warned, self.rollback_count = History(), set[str](), 0
        self.symptoms = [symptom() for symptom in SYMPTOMS]
        self._nonfinite, self._next = torch.zeros(()), 1
        self._real_distance = math.nan
        self._classes, self._real_spacing = torch.zeros(0).long(), math.nan

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the mean distance between real images."""
        self._nonfinite = torch.zeros((), device=pl_module.device)
        source: Any = trainer.datamodule  # type: ignore[attr-defined]
        if source is not None:
            chosen = torch.linspace(0, len(source.split("train")) - 1, _SAMPLES).long()
            self._real_distance = mean_distance(source.batch("train", chosen)[0])
            self._measure_real_classes(source, pl_module)

    def _measure_real_classes(self, source: Any, game: pl.LightningModule) -> None:
        """Measure the spacing of real images within classes, if the game knows classes."""
        labels = source.split("train").labels
        if labels is None or not getattr(game.generator, "num_classes", 0):
            return
        chosen = some_of_each_class(labels)
        if len(chosen):
            self._classes = labels[chosen]
            self._real_spacing = class_spacing(source.batch("train", chosen)[0], self._classes)

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Count a step that is not finite, and make the checks that are due."""
        self._count(game)
        step = game.clock.step
        if step % self.every == 0:
            self._measure_diversity(trainer, game)
        if step >= self._next or last:
            self._check(trainer, game, last)
            self._next = step + self.patience - int(self._nonfinite)
            self._warn(trainer, step)

    def _count(self, game: TwoPlayerGame) -> None:
        """Count the steps in a row whose losses are not finite, on the device."""
        losses = sum(player.loss for player in game.players)
        self._nonfinite = (self._nonfinite + 1) * (losses * 0 != 0)

    def _check(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Store the readings; roll back or stop if losses were not finite for too long."""
        processes.average([self._nonfinite])
        names, values = zip(*game.readings.items(), strict=True)
        numbers = torch.stack([torch.as_tensor(v, device=self._nonfinite.device) for v in values])
        reading = dict(zip(names, numbers.tolist(), strict=True))
        self.history.readings.append({"step": game.clock.step, **reading})
        del self.history.readings[:-_KEPT]
        if self._nonfinite < (1 if last else self.patience):
            return
        allowed = self.rollback and not last and self.rollback_count < self.rollbacks
        restored = self._read_checkpoint(game) if allowed else None
        if restored is None:
            raise DivergedError(self._diagnose(trainer, game))
        self._roll_back(trainer, game, *restored)

    def _checkpoints(self) -> list[Path]:
        """Return the checkpoints, best first."""
        paths = [self.folder / "checkpoints" / name for name in BY_QUALITY]
        return [path for path in paths if path.is_file()]

    def _read_checkpoint(self, game: TwoPlayerGame) -> tuple[Path, dict[str, Any]] | None:
        """Return the best checkpoint that is whole and of this game, with its content."""
        for path in self._checkpoints():
            try:
                content = current_version(archives.read(path))
                check_game(content, game)
                check_optimizers(content["optimizer_states"], game)
            except archives.READ_ERRORS as error:
                _log.warning(f"{path} cannot be restored: {error}")
            else:
                return path, content
        return None

    def _roll_back(
        self, trainer: pl.Trainer, game: TwoPlayerGame, path: Path, content: dict[str, Any]
    ) -> None:
        """Restore the weights of a checkpoint, with lower learning rates."""
        game.load_state_dict(content["state_dict"])
        self.rollback_count += 1
        for optimizer, state in zip(trainer.optimizers, content["optimizer_states"], strict=True):
            rates = [group["initial_lr"] for group in optimizer.param_groups]
            optimizer.load_state_dict(state)  # perhaps of before an earlier rollback
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = rate * self.relief
        self._nonfinite.zero_()
        self._alert(
            trainer,
            "rollback",
            f"step {game.clock.step}: losses were not finite; back to the weights of {path.name} "
            f"with learning rates times {self.relief**self.rollback_count:g}",
        )

    def _diagnose(self, trainer: pl.Trainer, game: TwoPlayerGame) -> str:
        """Write ``diagnosis.json`` and return its summary in one line."""
        cause, remedy = likely_cause(self.history)
        good = next(iter(self._checkpoints()), None)
        steps = counts.show(int(self._nonfinite), "step")
        report = {
            "step": game.clock.step,
            "what": f"losses or gradients were not finite for {steps}",
            "likely_cause": cause,
            "remedy": remedy,
            "last_good_checkpoint": str(good) if good else None,
            "rollbacks": self.rollback_count,
            "readings": [
                {k: v if math.isfinite(v) else str(v) for k, v in reading.items()}
                for reading in self.history.readings
            ],
        }
        path = self.folder / "diagnosis.json"
        if trainer.is_global_zero:
            records.write(path, report)
        kept = f"; {good} is good" if good else ""
        return f"step {game.clock.step}: {report['what']}; {cause}: {remedy}; see {path}{kept}"

    def _measure_diversity(self, trainer: pl.Trainer, game: TwoPlayerGame) -> None:
        """Log distances between samples, and within classes, relative to real images."""
        if not isinstance(game, LatentGame) or math.isnan(self._real_distance):
            return
        diversity = mean_distance(game.generate(game.seed, range(_SAMPLES)))
        found = {"diversity": diversity / self._real_distance}
        if self._real_spacing > 0:
            samples = game.generate(game.seed, range(len(self._classes)), self._classes)
            found["class_diversity"] = class_spacing(samples, self._classes) / self._real_spacing
        for name, value in found.items():
            getattr(self.history, name).append(value)
        record = {**found, "images": game.clock.images}
        for logger in trainer.loggers:
            logger.log_metrics(record, step=game.clock.step)

    def _warn(self, trainer: pl.Trainer, step: int) -> None:
        """Warn of new symptoms."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, MetricsCallback):
                for name in ("coverage", "class_variety"):
                    setattr(self.history, name, callback.values(name))
        for symptom in self.symptoms:
            finding = symptom.detect(self.history)
            if finding is None:
                self.warned.discard(symptom.name)
            elif symptom.name not in self.warned:
                self.warned.add(symptom.name)
                text = f"step {step}: {symptom.name}: {finding}; try {symptom.remedy}"
                self._alert(trainer, symptom.name, text)

    def _alert(self, trainer: pl.Trainer, title: str, text: str) -> None:
        """Log a warning, and send it to the loggers that accept alerts."""
        if trainer.is_global_zero:
            _log.warning(text)
        for logger in trainer.loggers:
            log_alert = getattr(logger, "log_alert", None)
            if log_alert is not None:
                log_alert(title, text)

    def state_dict(self) -> _State:  # type: ignore[override]
        """Return the state by which a resumed run gives the same warnings."""
        return {
            "readings": self.history.readings,
            "diversity": self.history.diversity,
            "class_diversity": self.history.class_diversity,
            "warned": sorted(self.warned),
            "returns": self.rollback_count,
            "next": self._next,
        }

    def load_state_dict(self, state_dict: _State) -> None:  # type: ignore[override]
        """Restore the state."""
        self.history = History(
            state_dict["readings"],
            state_dict["diversity"],
            class_diversity=state_dict.get("class_diversity", []),
        )
        self.warned, self.rollback_count = set(state_dict["warned"]), state_dict["returns"]
        self._next = state_dict["next"]
