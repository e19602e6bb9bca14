"""The training doctor: watches over a run, names what goes wrong, and stops what cannot recover."""

import json
import logging
import math
import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan import processes
from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.checkpoints import GOOD
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.symptoms import SYMPTOMS, Chart, likely_cause
from gan.errors import DivergedError, InputError

_log = logging.getLogger(__name__)
_PROBES = 64  # samples whose distances are taken
_KEPT = 20  # looks that are remembered


def mean_distance(images: Tensor) -> float:
    """Return the mean distance of two images (n, C, H, W) of a set."""
    return float(torch.pdist(images.float().flatten(1)).mean())


class Doctor(StepCallback):
    """Stop a run whose numbers are none any more, and warn of what GANs die of.

    The losses of every step are watched on the device, and looked at every ``patience`` steps.
    After ``patience`` steps in a row with one that is not finite the run stops with
    ``diagnosis.json`` in its folder, or goes back to its best checkpoint. A gradient that is not
    finite shows in the losses of the next step. Warnings (mode collapse, dead discriminator,
    exploding logits) go to the log and, as alerts, to loggers that take them; each is given once,
    until its symptom has gone.

    Comes before the metrics.

    Args:
        folder: the run folder.
        patience: steps in a row that are not finite.
        every: steps between two measurements of how much samples differ; logged as ``diversity``.
        rollback: go back to the weights of the best checkpoint, or the last without one, with lower
            learning rates instead of stopping; the clock goes on.
        relief: factor of the learning rates at each rollback.
        rollbacks: after which the run stops all the same.
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
        self.chart, self.warned, self.returns = Chart(), set[str](), 0
        self.symptoms = [symptom() for symptom in SYMPTOMS]
        self._ill, self._next = torch.zeros(()), 1
        self._real = math.nan

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure how much real images differ."""
        self._ill = torch.zeros((), device=pl_module.device)
        source: Any = trainer.datamodule  # type: ignore[attr-defined]
        if source is not None:
            chosen = torch.linspace(0, len(source.split("train")) - 1, _PROBES).long()
            self._real = mean_distance(source.batch("train", chosen)[0])

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Watch the step, and look at what is due."""
        self._watch(game)
        step = game.clock.step
        if step % self.every == 0:
            self._measure(trainer, game)
        if step >= self._next or last:
            self._look(trainer, game, last)
            self._next = step + self.patience - int(self._ill)
            self._warn(trainer, step)

    def _watch(self, game: TwoPlayerGame) -> None:
        """Count the steps in a row whose losses are not finite, on the device."""
        losses = sum(player.loss for player in game.players)
        self._ill = (self._ill + 1) * (losses * 0 != 0)

    def _look(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Remember the readings, and act where they are not finite for too long."""
        processes.average([self._ill])
        names, values = zip(*game.readings.items(), strict=True)
        numbers = torch.stack([torch.as_tensor(v, device=self._ill.device) for v in values])
        reading = dict(zip(names, numbers.tolist(), strict=True))
        self.chart.readings.append({"step": game.clock.step, **reading})
        del self.chart.readings[:-_KEPT]
        if self._ill < (1 if last else self.patience):
            return
        if self.rollback and not last and self.returns < self.rollbacks and self._best():
            self._go_back(trainer, game)
        else:
            raise DivergedError(self._diagnose(trainer, game))

    def _best(self) -> Path | None:
        """Return the best checkpoint, or the latest where none was judged."""
        places = (self.folder / "checkpoints" / name for name in GOOD)
        return next((place for place in places if place.is_file()), None)

    def _go_back(self, trainer: pl.Trainer, game: TwoPlayerGame) -> None:
        """Take up the weights of the best checkpoint with lower learning rates."""
        path = self._best()
        assert path is not None
        content = torch.load(path, map_location=game.device, weights_only=True)
        game.load_state_dict(content["state_dict"])
        self.returns += 1
        for optimizer, state in zip(trainer.optimizers, content["optimizer_states"], strict=True):
            optimizer.load_state_dict(state)
            for group in optimizer.param_groups:
                group["initial_lr"] *= self.relief**self.returns
        self._ill.zero_()
        self._say(
            trainer,
            "rollback",
            f"step {game.clock.step}: losses were not finite; back to the weights of {path.name} "
            f"with learning rates times {self.relief**self.returns:g}",
        )

    def _diagnose(self, trainer: pl.Trainer, game: TwoPlayerGame) -> str:
        """Write the report and return its essence."""
        evidence, remedy = likely_cause(self.chart)
        good = self._best()
        report = {
            "step": game.clock.step,
            "what": f"losses or gradients were not finite for {int(self._ill)} steps",
            "likely_cause": evidence,
            "remedy": remedy,
            "last_good_checkpoint": str(good) if good else None,
            "rollbacks": self.returns,
            "readings": [
                {k: v if math.isfinite(v) else str(v) for k, v in reading.items()}
                for reading in self.chart.readings
            ],
        }
        path = self.folder / "diagnosis.json"
        if trainer.is_global_zero:
            part = path.with_suffix(".part")
            part.write_text(json.dumps(report, indent=2) + "\n")
            os.replace(part, path)
        kept = f"; {good} is good" if good else ""
        return f"step {game.clock.step}: {report['what']}; {evidence}: {remedy}; see {path}{kept}"

    def _measure(self, trainer: pl.Trainer, game: TwoPlayerGame) -> None:
        """Take how much samples differ, against real images."""
        if not isinstance(game, LatentGame) or math.isnan(self._real):
            return
        diversity = mean_distance(game.generate(game.seed, range(_PROBES))) / self._real
        self.chart.diversity.append(diversity)
        for logger in trainer.loggers:
            logger.log_metrics({"diversity": diversity}, step=game.clock.step)

    def _warn(self, trainer: pl.Trainer, step: int) -> None:
        """Name the symptoms that are new."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, MetricsCallback):
                records = (record.items() for record in callback.history)
                self.chart.coverage = [v for items in records for k, v in items if "coverage" in k]
        for symptom in self.symptoms:
            evidence = symptom.evidence(self.chart)
            if evidence is None:
                self.warned.discard(symptom.name)
            elif symptom.name not in self.warned:
                self.warned.add(symptom.name)
                text = f"step {step}: {symptom.name}: {evidence}; try {symptom.remedy}"
                self._say(trainer, symptom.name, text)

    def _say(self, trainer: pl.Trainer, title: str, text: str) -> None:
        """Put a warning into the log and, as an alert, into the loggers that take it."""
        if trainer.is_global_zero:
            _log.warning(text)
        for logger in trainer.loggers:
            log_alert = getattr(logger, "log_alert", None)
            if log_alert is not None:
                log_alert(title, text)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know to warn alike."""
        return {
            "readings": self.chart.readings,
            "diversity": self.chart.diversity,
            "warned": sorted(self.warned),
            "returns": self.returns,
            "next": self._next,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        self.chart = Chart(state_dict["readings"], state_dict["diversity"])
        self.warned, self.returns = set(state_dict["warned"]), state_dict["returns"]
        self._next = state_dict["next"]
