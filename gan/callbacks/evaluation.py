"""Metrics in training and at its end."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.metrics.evaluation import Evaluation


class MetricsCallback(StepCallback):
    """Evaluate the averaged generator every ``evaluation.every`` steps and at the end.

    Attributes:
        history: one record an evaluation: ``step``, ``images`` and the metrics.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.history: list[dict[str, float]] = []
        self.seed = 0

    @property
    def monitor(self) -> str:
        """Return the name of the metric by which checkpoints are judged."""
        return self.evaluation.monitor

    @property
    def stamp(self) -> dict[str, Any]:
        """Return the protocol of the numbers."""
        return {**self.evaluation.stamp(), "weights": "averaged", "sample_seed": self.seed}

    @property
    def baseline(self) -> dict[str, float]:
        """Return the metrics of the other real split, empty where there is none."""
        return self.evaluation.baseline() or {}

    @property
    def last(self) -> dict[str, float]:
        """Return the latest record, empty before the first."""
        return self.history[-1] if self.history else {}

    @property
    def best(self) -> dict[str, float]:
        """Return the record with the best monitored metric, empty before the first."""
        choose = min if self.evaluation.minimize else max
        return choose(self.history, key=lambda record: record[self.monitor], default={})

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Get backbone and real statistics ready, or fail, before training."""
        assert isinstance(pl_module, TwoPlayerGame)
        self.seed, device = pl_module.seed, trainer.strategy.root_device
        self.evaluation.prepare(trainer.datamodule, device)  # type: ignore[attr-defined]

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Evaluate where it is due."""
        every = self.evaluation.every
        due = every > 0 and game.clock.step % every == 0
        if due or last:
            self._evaluate(trainer, game)

    def _evaluate(self, trainer: pl.Trainer, game: TwoPlayerGame) -> None:
        """Measure, remember and log."""
        metrics = self.evaluation.measure(self._fakes(trainer, game))
        record = {"step": game.clock.step, "images": game.clock.images, **metrics}
        self.history.append(record)
        for logger in trainer.loggers:
            logger.log_metrics({**record, **self._records()}, step=game.clock.step)

    def _records(self) -> dict[str, float]:
        """Return the best value so far of each metric, by which a dashboard can sort runs."""
        records = {}
        for name, metric in self.evaluation.metrics.items():
            key = f"{self.evaluation.backbone.name}/{name}"
            choose = max if metric.higher_is_better else min
            records[f"best/{key}"] = choose(record[key] for record in self.history)
        return records

    def _fakes(self, trainer: pl.Trainer, game: TwoPlayerGame) -> Iterator[Tensor]:
        """Yield this device's share of the fakes, labelled as real images drawn at random."""
        evaluation, rank, world = self.evaluation, trainer.global_rank, trainer.world_size
        split = trainer.datamodule.split(evaluation.split)  # type: ignore[attr-defined]
        order = np.random.default_rng(game.seed).permutation(len(split))
        size = min(evaluation.batch_size, max(evaluation.num_fakes // world, 1))  # some for each
        for index in range(rank, -(-evaluation.num_fakes // size), world):
            chosen = torch.from_numpy(
                order[np.arange(index * size, (index + 1) * size) % len(order)]
            )
            labels = None if split.labels is None else split.labels[chosen]
            real = split.images(chosen).to(game.device).float().div_(127.5).sub_(1)
            fakes = game.validation_step((real, labels), index)["fake"]
            yield fakes[: evaluation.num_fakes - index * size]

    def state_dict(self) -> dict[str, Any]:
        """Return the history."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the history."""
        self.history = state_dict["history"]
