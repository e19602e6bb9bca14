"""Evaluation of the checkpoints of a run that translates images."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gan.algorithms.translation import TranslationGame
from gan.backbones.base import digest
from gan.metrics.evaluation import SEED, Evaluation, protocol
from gan.metrics.outputs import Outputs
from gan.metrics.translations import Translations
from gan.runs.evaluations import Evaluations, Record


class TranslationAssessment:
    """Evaluates checkpoints of a run in each direction and writes ``evaluation.json``.

    Args:
        folder: of the run, for ``evaluation.json``.
        dataset: of the run.
        evaluations: of the metrics of features by direction, not prepared.
        device: of the computation.
    """

    def __init__(
        self,
        folder: Path,
        dataset: Any,
        evaluations: Mapping[str, Evaluation],
        device: torch.device,
    ) -> None:
        self.device, self.evaluations = device, dict(evaluations)
        self.sources = {d: Translations(dataset, d) for d in evaluations}
        self.records = Evaluations(folder / "evaluation.json")
        if len(evaluations) > 1:
            for direction, evaluation in evaluations.items():
                evaluation.use_direction(direction)

    def prepare(self, game: TranslationGame, drop: bool) -> list[str]:
        """Prepare the evaluations, and refuse metrics that cannot be computed.

        Args:
            game: of a checkpoint.
            drop: leave such metrics out instead of refusing them.

        Returns:
            The reason of each metric that is left out.

        Raises:
            InputError: if a metric cannot be computed, or weights are not available.
        """
        left_out: dict[str, str] = {}
        for direction, evaluation in self.evaluations.items():
            sources = self.sources[direction]
            evaluation.num_fakes = min(evaluation.num_fakes, len(sources))
            evaluation.extras = sources.extras(game)
            if drop:
                left_out |= evaluation.drop_incompatible(sources.target, sources.labelled)
            evaluation.prepare(sources.target, self.device, sources.labelled)
        return [f"{name}: {reason}" for name, reason in left_out.items()]

    def record(self, game: TranslationGame, checkpoint: str) -> Record:
        """Return the evaluation of a checkpoint, the earlier one if ``evaluation.json`` has it."""
        weights = digest(game.averaged.state_dict())[:16]
        outputs = {d: partial(sources.translated, game) for d, sources in self.sources.items()}
        return self._record(outputs, checkpoint, game.clock.step, weights)

    def references(self) -> list[Record]:
        """Return the evaluations of sources and classical restorations, if there are targets."""
        functions = self.sources["ab"].references()
        return [self._record({"ab": f}, name, 0, name) for name, f in functions.items()]

    def _record(
        self,
        outputs: Mapping[str, Callable[[range], Outputs]],
        name: str,
        step: int,
        weights: str,
    ) -> Record:
        """Return the evaluation of images, functions of their numbers, in some directions."""
        stamp = self.stamp()
        earlier = self.records.find(weights, 0, protocol(stamp))
        if earlier is not None:
            return earlier
        start, values = time.perf_counter(), dict[str, float]()
        for direction, images in outputs.items():
            evaluation = self.evaluations[direction]
            values |= evaluation.measure(_parts(images, evaluation))
        protocols = [e.protocols(stamp) for e in self.evaluations.values()]
        record = Record(
            checkpoint=name,
            step=step,
            weights=weights,
            seed=0,
            protocol=protocol(stamp),
            stamp=stamp,
            protocols={k: v for part in protocols for k, v in part.items()},
            values=values,
            seconds=time.perf_counter() - start,
        )
        self.records.add(record)
        return record

    def stamp(self) -> dict[str, Any]:
        """Return the protocol of the values; that of further directions under their names."""
        first, *others = self.evaluations
        stamp = self._stamp(first) | {"weights": "averaged", SEED: 0}
        for direction in others:
            stamp |= {f"{direction}/{k}": v for k, v in self._stamp(direction).items()}
        return stamp

    def _stamp(self, direction: str) -> dict[str, Any]:
        """Return the protocol of a direction."""
        return self.evaluations[direction].stamp() | self.sources[direction].stamp()


def _parts(outputs: Callable[[range], Outputs], evaluation: Evaluation) -> Iterator[Outputs]:
    """Yield the images of an evaluation in batches."""
    total, size = evaluation.num_fakes, evaluation.batch_size
    for start in range(0, total, size):
        yield outputs(range(start, min(start + size, total)))
