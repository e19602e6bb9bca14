"""Evaluation of the checkpoints of a run that translates images."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from gan.algorithms.translation import TranslationGame
from gan.backbones.base import digest
from gan.metrics.evaluation import SEED, Evaluation, protocol
from gan.metrics.outputs import Outputs
from gan.metrics.translation_evaluation import Part, TranslationEvaluation
from gan.runs.evaluations import Evaluations, Record


class TranslationAssessment:
    """Evaluates checkpoints of a run in each direction and writes ``evaluation.json``.

    Args:
        folder: of the run, for ``evaluation.json``.
        dataset: of the run.
        evaluation: of the translations, not prepared.
        device: of the computation.
    """

    def __init__(
        self, folder: Path, dataset: Any, evaluation: TranslationEvaluation, device: torch.device
    ) -> None:
        self.dataset, self.device, self.evaluation = dataset, device, evaluation
        self.records = Evaluations(folder / "evaluation.json")

    def prepare(self, game: TranslationGame, drop: bool) -> list[str]:
        """Prepare the evaluation, and refuse metrics that cannot be computed.

        Args:
            game: of a checkpoint.
            drop: leave such metrics out instead of refusing them.

        Returns:
            The reason of each metric that is left out.

        Raises:
            InputError: if a metric cannot be computed, or weights are not available.
        """
        left_out = self.evaluation.prepare(self.dataset, game, self.device, drop)
        return [f"{name}: {reason}" for name, reason in left_out.items()]

    def record(self, game: TranslationGame, checkpoint: str) -> Record:
        """Return the evaluation of a checkpoint, the earlier one if ``evaluation.json`` has it."""
        weights = digest(game.averaged.state_dict())[:16]
        outputs = self.evaluation.translations(game)
        return self._record(outputs, checkpoint, game.clock.step, weights)

    def references(self) -> list[Record]:
        """Return the evaluations of sources and classical restorations, if there are targets."""
        references = self.evaluation.references()
        return [self._record(outputs, name, 0, name) for name, outputs in references.items()]

    def _record(
        self,
        outputs: Mapping[str, Callable[[range], Outputs]],
        name: str,
        step: int,
        weights: str,
    ) -> Record:
        """Return the evaluation of images, functions of their numbers, in some directions."""
        stamp = {**self.evaluation.stamp(), "weights": "averaged", SEED: 0}
        earlier = self.records.find(weights, 0, protocol(stamp))
        if earlier is not None:
            return earlier
        start = time.perf_counter()
        values = self.evaluation.measure(outputs, _all_batches)
        record = Record(
            checkpoint=name,
            step=step,
            weights=weights,
            seed=0,
            protocol=protocol(stamp),
            stamp=stamp,
            protocols=self.evaluation.protocols(stamp),
            values=values,
            seconds=time.perf_counter() - start,
        )
        self.records.add(record)
        return record


def _all_batches(evaluation: Evaluation) -> Part:
    """Return all batches of an evaluation in a single process."""
    return range(-(-evaluation.num_fakes // evaluation.batch_size)), evaluation.batch_size
