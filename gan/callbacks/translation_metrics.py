"""Evaluation of translated images in training and at its end."""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytorch_lightning as pl

from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.evaluation import MetricsCallback
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.model_metric import ModelMetric
from gan.metrics.outputs import Outputs
from gan.metrics.translations import Translations

log = logging.getLogger(__name__)


class TranslationMetrics(MetricsCallback):
    """Evaluates what the averaged generator makes of held-out images, in each direction.

    The fakes of a direction are the translations of the first held-out sources, at most as many as
    there are; they are compared with images of the target domain.

    Args:
        evaluations: the metrics and their protocol by direction; the first has the monitored value.
    """

    def __init__(self, evaluations: Mapping[str, Evaluation]) -> None:
        super().__init__(next(iter(evaluations.values())))
        self.evaluations, self.sources = dict(evaluations), dict[str, Translations]()
        if len(evaluations) > 1:
            for direction, evaluation in evaluations.items():
                evaluation.use_direction(direction)

    @property
    def ranking(self) -> dict[str, FeatureMetric | ModelMetric]:
        """Return the metric of each value by which models are ranked, by name."""
        return {k: metric for e in self.evaluations.values() for k, metric in e.ranking.items()}

    @property
    def stamp(self) -> dict[str, Any]:
        """Return the protocol of the values; that of further directions under their names."""
        first, *others = self.evaluations
        stamp = super().stamp | self.sources[first].stamp()
        for direction in others:
            own = self.evaluations[direction].stamp() | self.sources[direction].stamp()
            stamp |= {f"{direction}/{key}": value for key, value in own.items()}
        return stamp

    @property
    def protocols(self) -> dict[str, str]:
        """Return the short name of the protocol of each value by which models are ranked."""
        stamp = self.stamp
        return {k: v for e in self.evaluations.values() for k, v in e.protocols(stamp).items()}

    @property
    def baseline(self) -> dict[str, float]:
        """Return the metrics of the other real split of each target domain."""
        with self._timed():
            parts = [evaluation.baseline() or {} for evaluation in self.evaluations.values()]
        return {key: value for part in parts for key, value in part.items()}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Prepare backbones and statistics of real images before training.

        Raises:
            InputError: if an evaluation cannot be prepared.
        """
        assert isinstance(pl_module, TranslationGame)
        self.seed, device = pl_module.seed, trainer.strategy.root_device
        dataset: Any = trainer.datamodule  # type: ignore[attr-defined]
        with self._timed():
            for direction, evaluation in self.evaluations.items():
                sources = self.sources[direction] = Translations(dataset, direction)
                if len(sources) < evaluation.num_fakes:
                    log.warning("%d images of %s are measured", len(sources), sources.source.name)
                evaluation.num_fakes = min(evaluation.num_fakes, len(sources))
                evaluation.extras = sources.extras(pl_module)
                evaluation.prepare(sources.target, device, sources.labelled)

    def _measure(self, trainer: pl.Trainer, game: TwoPlayerGame[Any]) -> dict[str, float]:
        """Return the metrics of the game's translations."""
        assert isinstance(game, TranslationGame)
        values: dict[str, float] = {}
        for direction, sources in self.sources.items():
            outputs = partial(sources.translated, game)
            values |= self._measure_outputs(trainer, direction, outputs)
        return values

    def _measure_outputs(
        self, trainer: pl.Trainer, direction: str, outputs: Callable[[range], Outputs]
    ) -> dict[str, float]:
        """Return the metrics of images, a function of their numbers."""
        evaluation = self.evaluations[direction]
        batches, size = self._batches(trainer, evaluation)

        def parts() -> Iterator[Outputs]:
            for index in batches:
                end = min((index + 1) * size, evaluation.num_fakes)
                yield outputs(range(index * size, end))

        return evaluation.measure(parts(), batches.start * size)

    def references(self, trainer: pl.Trainer) -> dict[str, dict[str, float]]:
        """Return the metrics of sources and of classical restorations, if there are targets."""
        with self._timed():
            return {
                name: self._measure_outputs(trainer, "ab", outputs)
                for name, outputs in self.sources["ab"].references().items()
            }
