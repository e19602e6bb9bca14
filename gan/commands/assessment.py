"""What is measured of a run, one seed after the other."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.sampling import Sampling
from gan.backbones.base import digest
from gan.metrics.evaluation import SEED, Evaluation, protocol
from gan.metrics.feed import Batch
from gan.metrics.memorisation import Memorisation
from gan.metrics.probe import Probe
from gan.pictures import alternate_rows, picture, save_grid
from gan.runs.evaluations import Ledger, Record

_PAIRS = 30  # fakes shown above their nearest real images
_COLUMNS = 10


class Fakes:
    """The generated images of one seed, labelled as real images drawn at random.

    Args:
        game: that generates.
        labels: of the real split, (N,), or ``None``.
        seed: of the latents and the draw.
        batch_size: images at once.
    """

    def __init__(self, game: LatentGame, labels: Tensor | None, seed: int, batch_size: int) -> None:
        self.game, self.seed, self.batch_size = game, seed, batch_size
        self.labels = labels if game.generator.num_classes else None
        count = 0 if self.labels is None else len(self.labels)
        self.order = np.random.default_rng(seed).permutation(count)

    def batch(self, indices: range) -> Batch:
        """Return images (B, C, H, W) and labels (B,) of some of them."""
        y = None
        if self.labels is not None:
            y = self.labels[self.order[np.asarray(indices) % len(self.order)]]
        return self.game.generate(self.seed, indices, y), y

    def batches(self, n: int) -> Iterator[Batch]:
        """Yield the first ``n``."""
        for start in range(0, n, self.batch_size):
            yield self.batch(range(start, min(start + self.batch_size, n)))


class Assessment:
    """Measures weights of a run with one protocol and keeps what it measured.

    Args:
        folder: of the run; ``evaluation.json`` and pictures go there.
        source: the data set.
        evaluation: the metrics, not yet prepared.
        probes: by name.
        device: where to work.
        sampling: what is changed of a game before it is sampled.
    """

    def __init__(
        self,
        folder: Path,
        source: Any,
        evaluation: Evaluation,
        probes: Mapping[str, Probe],
        device: torch.device,
        sampling: Sampling | None = None,
    ) -> None:
        self.folder, self.source, self.evaluation = folder, source, evaluation
        self.probes, self.device = probes, device
        self.sampling = sampling or Sampling()
        self.ledger = Ledger(folder / "evaluation.json")

    def ready(self, game: LatentGame) -> LatentGame:
        """Return the game, changed in place, on the device and sampled as was asked for.

        Raises:
            InputError: if it cannot be sampled so.
        """
        return self.sampling.apply(game.to(self.device))

    def prepare(self, game: LatentGame, drop: bool) -> list[str]:
        """Get backbone and reals ready, and refuse what cannot be taken, before any long work.

        Args:
            game: to be measured, ready.
            drop: leave metrics that cannot be taken out instead of refusing them.

        Returns:
            What was left out and why.

        Raises:
            InputError: if something cannot be taken.
        """
        labelled = game.generator.num_classes > 0
        left_out = self.evaluation.drop_refused(self.source, labelled) if drop else {}
        for probe in self.probes.values():
            probe.check(game, self.source)
        self.evaluation.prepare(self.source, self.device, labelled)
        for probe in self.probes.values():
            probe.check_backbone(self.source, self.evaluation.backbone)
        return [f"{name}: {reason}" for name, reason in left_out.items()]

    def stamp(self, seed: int) -> dict[str, Any]:
        """Return the protocol of one seed's numbers."""
        stamp = {**self.evaluation.stamp(), "weights": "averaged", SEED: seed}
        stamp |= self.sampling.stamp()
        for probe in self.probes.values():
            stamp |= probe.stamp()
        return stamp

    def record(self, game: LatentGame, checkpoint: str, seed: int) -> Record:
        """Return the measurement of a ready game with one seed, from the ledger if it is there."""
        stamp = self.stamp(seed)
        weights = digest(game.averaged.state_dict())[:16]
        name = protocol(stamp)
        found = self.ledger.find(weights, seed, name)
        if found is not None:
            return found
        start = time.perf_counter()
        values, probed = self._measure(game, checkpoint, seed), self._probe(game, seed)
        record = Record(
            checkpoint=checkpoint,
            step=game.clock.step,
            weights=weights,
            seed=seed,
            protocol=name,
            stamp=stamp,
            protocols={**self.evaluation.protocols(stamp), **dict.fromkeys(probed, name)},
            values={**values, **probed},
            seconds=time.perf_counter() - start,
        )
        self.ledger.add(record)
        return record

    def _measure(self, game: LatentGame, checkpoint: str, seed: int) -> dict[str, float]:
        """Take all metrics."""
        if not self.evaluation.metrics:
            return {}
        labels = self.source.split(self.evaluation.split).labels
        fakes = Fakes(game, labels, seed, self.evaluation.batch_size)
        values = self.evaluation.measure(fakes.batches(self.evaluation.num_fakes))
        self._show_suspects(fakes, checkpoint)
        return values

    def _probe(self, game: LatentGame, seed: int) -> dict[str, float]:
        """Take all probes."""
        values: dict[str, float] = {}
        for probe in self.probes.values():
            values |= probe.measure(game, self.source, self.evaluation.backbone, seed)
        return values

    def _show_suspects(self, fakes: Fakes, checkpoint: str) -> None:
        """Write the fakes that are likest a real image above that image."""
        for metric in self.evaluation.metrics.values():
            if isinstance(metric, Memorisation) and fakes.seed == 0:
                suspects = metric.suspects[:_PAIRS]
                made = torch.cat([fakes.batch(range(k, k + 1))[0] for k, _, _ in suspects]).cpu()
                places = torch.tensor([k for _, k, _ in suspects])
                near, _ = self.source.batch(self.evaluation.split, places)
                both = alternate_rows(made.float(), near.cpu(), _COLUMNS)
                save_grid(picture(both, _COLUMNS), self.folder / f"nearest_{checkpoint}.png")
