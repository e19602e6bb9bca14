"""Evaluation in training and at its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.metrics.evaluation import SEED, Evaluation
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.measurement import Measurement
from gan.metrics.model_metric import ModelMetric


class _State(TypedDict):
    """The state in a checkpoint."""

    history: list[dict[str, float]]


class MetricsCallback(StepCallback):
    """Evaluates the averaged generator every ``evaluation.every`` steps and at the end.

    Args:
        evaluation: the metrics and their protocol.

    Attributes:
        history: a record of each evaluation: ``step``, ``images`` and the metrics.
        seconds: that measuring took so far, with its preparation.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.history: list[dict[str, float]] = []
        self.seed, self.seconds = 0, 0.0

    @property
    def monitor(self) -> str:
        """Return the name of the value by which the best checkpoint is chosen."""
        return self.evaluation.monitor

    @property
    def higher_is_better(self) -> bool:
        """Return whether the highest value of the monitor is the best."""
        ranking = self.ranking
        return self.monitor in ranking and bool(ranking[self.monitor].higher_is_better)

    @property
    def ranking(self) -> dict[str, FeatureMetric | ModelMetric]:
        """Return the metric of each value by which models are ranked, by name."""
        return self.evaluation.ranking

    @property
    def per_class(self) -> set[str]:
        """Return the names of values that there are for each class besides."""
        return self.evaluation.per_class

    @property
    def stamp(self) -> dict[str, Any]:
        """Return the protocol of the values."""
        return {**self.evaluation.stamp(), "weights": "averaged", SEED: self.seed}

    @property
    def protocols(self) -> dict[str, str]:
        """Return the short name of the protocol of each value by which models are ranked."""
        return self.evaluation.protocols(self.stamp)

    @property
    def baseline(self) -> dict[str, float]:
        """Return the metrics of the other real split, empty without one."""
        with self._timed():
            return self.evaluation.baseline() or {}

    def references(self, trainer: pl.Trainer) -> dict[str, dict[str, float]]:
        """Return the metrics of other images in the place of the model's, by what they are."""
        return {}

    @property
    def last(self) -> dict[str, float]:
        """Return the latest record, empty before the first."""
        return self.history[-1] if self.history else {}

    @property
    def best(self) -> dict[str, float]:
        """Return the record of the best monitored value, empty before the first."""
        records = [record for record in self.history if self.monitor in record]
        if not records:
            return {}
        best: dict[str, float] = self.evaluation.best_of(self.monitor)(
            records, key=lambda record: record[self.monitor]
        )
        return best

    @property
    def stale(self) -> int:
        """Return the number of evaluations since the best one."""
        return sum(self.monitor in r and r["step"] > self.best["step"] for r in self.history)

    def values(self, name: str) -> list[float]:
        """Return the values of a metric in the history, under its name without the backbone."""
        return [v for r in self.history for k, v in r.items() if k.rpartition("/")[2] == name]

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Prepare backbone and statistics of real images before training.

        Raises:
            InputError: if the evaluation cannot be prepared.
        """
        assert isinstance(pl_module, TwoPlayerGame)
        self.seed, device = pl_module.seed, trainer.strategy.root_device
        labelled = getattr(pl_module.generator, "num_classes", 0) > 0
        dataset: Any = trainer.datamodule  # type: ignore[attr-defined]
        with self._timed():
            if isinstance(pl_module, LatentGame):
                self.evaluation.check_model(pl_module, dataset)
            self.evaluation.prepare(dataset, device, labelled)

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame[Any], last: bool) -> None:
        """Evaluate every ``evaluation.every`` steps and after the last one, for finite weights."""
        every = self.evaluation.every
        due = every > 0 and game.clock.step % every == 0
        if (due or last) and game.is_finite():
            with self._timed():
                self._evaluate(trainer, game)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the time inside the context."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started

    def _evaluate(self, trainer: pl.Trainer, game: TwoPlayerGame[Any]) -> None:
        """Measure the metrics, append them to the history and log them."""
        record = self.record(trainer, game)
        self.history.append(record)
        values = {key: value for key, value in record.items() if key not in ("step", "images")}
        dataset: Any = trainer.datamodule  # type: ignore[attr-defined]
        best_step = self.best.get("step")
        measurement = Measurement(
            game.clock.step,
            game.clock.images,
            values,
            self._records(),
            None if best_step is None else int(best_step),
            self.per_class,
            getattr(dataset, "class_names", ()),
        )
        for logger in trainer.loggers:
            log_protocol = getattr(logger, "log_protocol", None)
            if log_protocol is not None:
                log_protocol(self.stamp, game.clock.step)
            _log(logger, measurement)

    def record(self, trainer: pl.Trainer, game: TwoPlayerGame[Any]) -> dict[str, float]:
        """Return ``step``, ``images`` and the metrics of a game; :meth:`setup` comes before."""
        values = self._measure(trainer, game)
        return {"step": game.clock.step, "images": game.clock.images, **values}

    def _measure(self, trainer: pl.Trainer, game: TwoPlayerGame[Any]) -> dict[str, float]:
        """Return the metrics of the game's images."""
        assert isinstance(game, LatentGame)
        batches, size = self._batches(trainer, self.evaluation)
        values = self.evaluation.measure(self._fakes(trainer, game), batches.start * size)
        return values | self.evaluation.measure_model(game, game.seed)

    def _records(self) -> dict[str, float]:
        """Return the best value so far of each that ranks models.

        Records from before the run was resumed may be of other metrics.
        """
        return {
            key: (max if metric.higher_is_better else min)(r[key] for r in self.history if key in r)
            for key, metric in self.ranking.items()
        }

    def _batches(self, trainer: pl.Trainer, evaluation: Evaluation) -> tuple[range, int]:
        """Return the indices of the batches of this process, and the images per batch."""
        total, rank, world = evaluation.num_fakes, trainer.global_rank, trainer.world_size
        # at least one image for each process
        size = min(evaluation.batch_size, max(total // world, 1))
        batches = -(-total // size)
        return range(batches * rank // world, batches * (rank + 1) // world), size

    def _fakes(
        self, trainer: pl.Trainer, game: LatentGame
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the fakes of this process, with the labels of randomly chosen real images."""
        split = trainer.datamodule.split(self.evaluation.split)  # type: ignore[attr-defined]
        order = torch.from_numpy(np.random.default_rng(game.seed).permutation(len(split)))
        known = split.labels if game.generator.num_classes > 0 else None
        batches, size = self._batches(trainer, self.evaluation)
        for start in (index * size for index in batches):
            indices = range(start, min(start + size, self.evaluation.num_fakes))
            rows = order[torch.tensor(indices) % len(order)]
            labels = None if known is None else known[rows]
            yield game.generate(game.seed, indices, labels), labels

    def state_dict(self) -> _State:  # type: ignore[override]
        """Return the history."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: _State) -> None:  # type: ignore[override]
        """Restore the history."""
        self.history = state_dict["history"]


def _log(logger: Logger, measurement: Measurement) -> None:
    """Log a measurement: a logger that knows of them as it likes, others as plain numbers."""
    log_measurement = getattr(logger, "log_measurement", None)
    if log_measurement is not None:
        log_measurement(measurement)
        return
    best = {f"best/{key}": value for key, value in measurement.best.items()}
    logger.log_metrics({**measurement.record, **best}, step=measurement.step)
