"""Evaluation of the checkpoints of a run."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan.algorithms.latent import LatentGame
from gan.algorithms.sampling import apply_sampling
from gan.backbones.base import digest
from gan.errors import InputError
from gan.metrics.evaluation import SEED, Evaluation, protocol
from gan.metrics.feature_pass import Batch
from gan.metrics.memorisation import Memorisation
from gan.metrics.model_metric import ModelMetric
from gan.pictures import alternate_rows, picture, save_grid
from gan.runs.evaluations import Evaluations, Record
from gan.settings.sampling import Sampling

_PAIRS = 30  # fakes in the image of nearest real images
_COLUMNS = 10  # of that image


class Fakes:
    """The generated images of one seed, with the labels of randomly chosen real images.

    Args:
        game: the model.
        labels: of the real split, (N,), or ``None``.
        seed: of the latents and of the choice of labels.
        batch_size: images per batch.
    """

    def __init__(self, game: LatentGame, labels: Tensor | None, seed: int, batch_size: int) -> None:
        self.game, self.seed, self.batch_size = game, seed, batch_size
        self.labels = labels if game.generator.num_classes else None
        count = 0 if self.labels is None else len(self.labels)
        self.order = np.random.default_rng(seed).permutation(count)

    def batch(self, indices: range) -> Batch:
        """Return the images (B, C, H, W) at ``indices`` and their labels (B,)."""
        y = None
        if self.labels is not None:
            y = self.labels[self.order[np.asarray(indices) % len(self.order)]]
        return self.game.generate(self.seed, indices, y), y

    def batches(self, n: int) -> Iterator[Batch]:
        """Yield the first ``n`` images in batches."""
        for start in range(0, n, self.batch_size):
            yield self.batch(range(start, min(start + self.batch_size, n)))


class Assessment:
    """Evaluates checkpoints of a run under one protocol and writes ``evaluation.json``.

    Args:
        folder: of the run, for ``evaluation.json`` and images.
        dataset: of the run.
        evaluation: of the metrics of features, not prepared.
        model_metrics: metrics of the model itself, by name.
        device: of the computation.
        sampling: changes of the model before it is sampled.
    """

    def __init__(
        self,
        folder: Path,
        dataset: Any,
        evaluation: Evaluation,
        model_metrics: Mapping[str, ModelMetric],
        device: torch.device,
        sampling: Sampling | None = None,
    ) -> None:
        self.folder, self.dataset, self.evaluation = folder, dataset, evaluation
        self.model_metrics, self.device = dict(model_metrics), device
        self.sampling = sampling or Sampling()
        self.evaluations = Evaluations(folder / "evaluation.json")

    def apply_sampling(self, game: LatentGame) -> LatentGame:
        """Return the game, changed in place: moved to the device, with the changes of sampling.

        Raises:
            InputError: if the game does not support a change.
        """
        return apply_sampling(game.to(self.device), self.sampling)

    def prepare(self, game: LatentGame, drop: bool) -> list[str]:
        """Prepare the evaluation, and refuse metrics that cannot be computed, before any long work.

        Args:
            game: of a checkpoint, from :meth:`apply_sampling`.
            drop: leave such metrics out instead of refusing them.

        Returns:
            The reason of each metric that is left out.

        Raises:
            InputError: if a metric cannot be computed, or weights are not available.
        """
        labelled = game.generator.num_classes > 0
        left_out = self.evaluation.drop_incompatible(self.dataset, labelled) if drop else {}
        left_out |= self._check_model(game, drop)
        self.evaluation.prepare(self.dataset, self.device, labelled)
        for metric in self.model_metrics.values():
            metric.check_backbone(self.dataset, self.evaluation.backbone)
        return [f"{name}: {reason}" for name, reason in left_out.items()]

    def _check_model(self, game: LatentGame, drop: bool) -> dict[str, str]:
        """Return why metrics of the model are left out, by name; arguments as in `prepare`."""
        left_out: dict[str, str] = {}
        for name, metric in [*self.model_metrics.items()]:
            reason = metric.absence(game, self.dataset)
            try:
                if reason is not None:
                    raise InputError(f"{name}: {reason}: leave it out")
                metric.check(game, self.dataset)
            except InputError as error:
                if not drop:
                    raise
                left_out[name] = str(error).removeprefix(f"{name}: ")
                del self.model_metrics[name]
        return left_out

    def stamp(self, seed: int) -> dict[str, Any]:
        """Return the protocol of the values of one seed."""
        stamp = {**self.evaluation.stamp(), "weights": "averaged", SEED: seed}
        stamp |= self.sampling.stamp()
        for metric in self.model_metrics.values():
            stamp |= metric.stamp()
        return stamp

    def record(self, game: LatentGame, checkpoint: str, seed: int) -> Record:
        """Return the evaluation with one seed, the earlier one if ``evaluation.json`` has it."""
        stamp = self.stamp(seed)
        networks = nn.ModuleList([game.averaged, *game.judges])
        weights = digest((networks if game.judges else game.averaged).state_dict())[:16]
        name = protocol(stamp)
        earlier = self.evaluations.find(weights, seed, name)
        if earlier is not None:
            return earlier
        start = time.perf_counter()
        values = self._measure_features(game, checkpoint, seed)
        model_values = self._measure_model(game, seed)
        record = Record(
            checkpoint=checkpoint,
            step=game.clock.step,
            weights=weights,
            seed=seed,
            protocol=name,
            stamp=stamp,
            protocols={**self.evaluation.protocols(stamp), **dict.fromkeys(model_values, name)},
            values={**values, **model_values},
            seconds=time.perf_counter() - start,
        )
        self.evaluations.add(record)
        return record

    def _measure_features(self, game: LatentGame, checkpoint: str, seed: int) -> dict[str, float]:
        """Return the metrics of features."""
        if not self.evaluation.metrics:
            return {}
        labels = self.dataset.split(self.evaluation.split).labels
        fakes = Fakes(game, labels, seed, self.evaluation.batch_size)
        values = self.evaluation.measure(fakes.batches(self.evaluation.num_fakes))
        self._save_suspects(fakes, checkpoint)
        return values

    def _measure_model(self, game: LatentGame, seed: int) -> dict[str, float]:
        """Return the metrics of the model itself."""
        values: dict[str, float] = {}
        for metric in self.model_metrics.values():
            values |= metric.measure(game, self.dataset, self.evaluation.backbone, seed)
        return values

    def _save_suspects(self, fakes: Fakes, checkpoint: str) -> None:
        """Write an image of the fakes nearest to a real image, each above that image."""
        for metric in self.evaluation.metrics.values():
            if isinstance(metric, Memorisation) and fakes.seed == 0:
                suspects = metric.suspects[:_PAIRS]
                copies = torch.cat([fakes.batch(range(k, k + 1))[0] for k, _, _ in suspects])
                indices = torch.tensor([k for _, k, _ in suspects])
                near, _ = self.dataset.batch(self.evaluation.split, indices)
                both = alternate_rows(copies.cpu().float(), near.cpu(), _COLUMNS)
                save_grid(picture(both, _COLUMNS), self.folder / f"nearest_{checkpoint}.png")
