"""Evaluation of translated images in training and at its end."""

import logging
from functools import partial
from typing import Any

import pytorch_lightning as pl

from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.evaluation import MetricsCallback
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.model_metric import ModelMetric
from gan.metrics.translation_evaluation import TranslationEvaluation

log = logging.getLogger(__name__)


class TranslationMetrics(MetricsCallback):
    """Evaluates what the averaged generator makes of held-out images, in each direction.

    Args:
        translation: the metrics and their protocol; the first direction has the monitored value.
    """

    def __init__(self, translation: TranslationEvaluation) -> None:
        super().__init__(next(iter(translation.evaluations.values())))
        self.translation = translation

    @property
    def ranking(self) -> dict[str, FeatureMetric | ModelMetric]:
        """Return the metric of each value by which models are ranked, by name."""
        return self.translation.ranking

    @property
    def per_class(self) -> set[str]:
        """Return the names of values that there are for each class besides."""
        return self.translation.per_class

    @property
    def stamp(self) -> dict[str, Any]:
        """Return the protocol of the values; that of further directions under their names."""
        return super().stamp | self.translation.stamp()

    @property
    def protocols(self) -> dict[str, str]:
        """Return the short name of the protocol of each value by which models are ranked."""
        return self.translation.protocols(self.stamp)

    @property
    def baseline(self) -> dict[str, float]:
        """Return the metrics of the other real split of each target domain."""
        with self._timed():
            return self.translation.baseline()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Prepare backbones and statistics of real images before training.

        Raises:
            InputError: if an evaluation cannot be prepared.
        """
        assert isinstance(pl_module, TranslationGame)
        self.seed, wanted = pl_module.seed, self.evaluation.num_fakes
        dataset: Any = trainer.datamodule  # type: ignore[attr-defined]
        with self._timed():
            self.translation.prepare(dataset, pl_module, trainer.strategy.root_device)
        for sources in self.translation.sources.values():
            if len(sources) < wanted:
                log.warning("%d images of %s are measured", len(sources), sources.source.name)

    def _measure(self, trainer: pl.Trainer, game: TwoPlayerGame[Any]) -> dict[str, float]:
        """Return the metrics of the game's translations."""
        assert isinstance(game, TranslationGame)
        outputs = self.translation.translations(game)
        return self.translation.measure(outputs, partial(self._batches, trainer))

    def references(self, trainer: pl.Trainer) -> dict[str, dict[str, float]]:
        """Return the metrics of sources and of classical restorations, if there are targets."""
        share = partial(self._batches, trainer)
        with self._timed():
            return {
                name: self.translation.measure(outputs, share)
                for name, outputs in self.translation.references().items()
            }
