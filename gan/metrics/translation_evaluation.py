"""Evaluation of the translations of a game in each of its directions."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from gan.algorithms.translation import TranslationGame
from gan.metrics.base import Stamp
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.model_metric import ModelMetric
from gan.metrics.outputs import Outputs
from gan.metrics.translations import Translations

Part = tuple[range, int]  # batches of a process, and the images of each


class TranslationEvaluation:
    """An evaluation for each direction, whose fakes are the translations of held-out sources.

    With several directions, the name of every value begins with its direction.

    Args:
        evaluations: the metrics and their protocol by direction, not prepared.
        split: of the sources; by default the held-out one.

    Attributes:
        sources: held-out images by direction, once it is prepared.
    """

    def __init__(self, evaluations: Mapping[str, Evaluation], split: str | None = None) -> None:
        self.evaluations, self.sources = dict(evaluations), dict[str, Translations]()
        self.split = split
        if len(evaluations) > 1:
            for direction, evaluation in evaluations.items():
                evaluation.use_direction(direction)

    def prepare(
        self, dataset: Any, game: TranslationGame, device: torch.device, drop: bool = False
    ) -> dict[str, str]:
        """Prepare the evaluations; each has at most as many fakes as there are sources.

        Args:
            dataset: of the two domains.
            game: that translates.
            device: of the computation.
            drop: leave metrics out that cannot be computed, instead of refusing them.

        Returns:
            The reason of each metric that is left out, by name.

        Raises:
            InputError: if a metric cannot be computed, or weights are not available.
        """
        left_out: dict[str, str] = {}
        for direction, evaluation in self.evaluations.items():
            sources = self.sources[direction] = Translations(dataset, direction, self.split)
            evaluation.num_fakes = min(evaluation.num_fakes, len(sources))
            evaluation.extras = sources.extras(game)
            if drop:
                left_out |= evaluation.drop_incompatible(sources.target, sources.labelled)
            evaluation.prepare(sources.target, device, sources.labelled)
        return left_out

    @property
    def ranking(self) -> dict[str, FeatureMetric | ModelMetric]:
        """Return the metric of each value by which models are ranked, by name."""
        return {k: metric for e in self.evaluations.values() for k, metric in e.ranking.items()}

    @property
    def per_class(self) -> set[str]:
        """Return the names of values that there are for each class besides."""
        return {name for e in self.evaluations.values() for name in e.per_class}

    def stamp(self) -> Stamp:
        """Return the protocol of the values; that of further directions under their names."""
        stamps = [self.evaluations[d].stamp() | s.stamp() for d, s in self.sources.items()]
        named = zip([*self.sources][1:], stamps[1:], strict=True)
        others = {f"{d}/{key}": value for d, stamp in named for key, value in stamp.items()}
        return stamps[0] | others

    def protocols(self, stamp: Mapping[str, object]) -> dict[str, str]:
        """Return the short name of the protocol of each value of :attr:`ranking`."""
        return {k: v for e in self.evaluations.values() for k, v in e.protocols(stamp).items()}

    def baseline(self) -> dict[str, float]:
        """Return the metrics of the other real split of each target domain."""
        parts = [evaluation.baseline() or {} for evaluation in self.evaluations.values()]
        return {key: value for part in parts for key, value in part.items()}

    def measure(
        self,
        outputs: Mapping[str, Callable[[range], Outputs]],
        share: Callable[[Evaluation], Part],
    ) -> dict[str, float]:
        """Return the metrics of images.

        Args:
            outputs: images by direction, functions of their numbers.
            share: the batches of this process for an evaluation.
        """
        values: dict[str, float] = {}
        for direction, images in outputs.items():
            evaluation = self.evaluations[direction]
            batches, size = share(evaluation)
            parts = _parts(images, batches, size, evaluation.num_fakes)
            values |= evaluation.measure(parts, batches.start * size)
        return values

    def translations(self, game: TranslationGame) -> dict[str, Callable[[range], Outputs]]:
        """Return the translations of a game by direction, functions of their numbers."""
        return {d: sources.translations(game) for d, sources in self.sources.items()}

    def references(self) -> dict[str, dict[str, Callable[[range], Outputs]]]:
        """Return sources and classical restorations in the place of translations, by name."""
        return {name: {"ab": images} for name, images in self.sources["ab"].references().items()}


def _parts(
    images: Callable[[range], Outputs], batches: range, size: int, total: int
) -> Iterator[Outputs]:
    """Yield images in batches of ``size``, the last of which may be smaller."""
    for index in batches:
        yield images(range(index * size, min((index + 1) * size, total)))
