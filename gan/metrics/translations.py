"""Held-out images of one domain and what a game makes of them."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan.algorithms.translation import TranslationGame
from gan.backbones.dataset import PairedDataset, Task, held_out_split
from gan.metrics.outputs import Outputs


class Translations:
    """The held-out sources of a direction.

    Args:
        dataset: of the two domains.
        direction: "ab" or "ba".
        split: of the sources; by default the held-out one.

    Attributes:
        source: domain that is translated.
        target: domain that the translations are compared with.
        split: of the sources.
    """

    def __init__(self, dataset: PairedDataset, direction: str, split: str | None = None) -> None:
        self.dataset, self.direction = dataset, direction
        self.source, self.target = (dataset.domains[name] for name in direction)
        self.split = split or held_out_split(self.source)

    def __len__(self) -> int:
        return len(self.source.split(self.split))

    def stamp(self) -> dict[str, str | int | float]:
        """Return what identifies the sources: their domain, split and content, and the task."""
        fingerprint = self.source.fingerprint(self.split)
        stamp: dict[str, str | int | float] = {
            "sources": f"{self.source.name}/{self.split}",
            "sources_fingerprint": fingerprint,
        }
        return {**stamp, **(self.dataset.task.settings if self.dataset.task else {})}

    @property
    def labelled(self) -> bool:
        """Return whether the sources have labels of the target's classes."""
        return self.source.num_classes > 1 and self.source.split(self.split).labels is not None

    def extras(self, game: TranslationGame) -> frozenset[str]:
        """Return what the outputs have besides labels: "target", "cycle"."""
        names = {"target": self.dataset.paired, "cycle": self.direction[::-1] in game.directions}
        return frozenset(name for name, there in names.items() if there)

    def given(self, indices: range) -> Outputs:
        """Return the sources at indices in the place of outputs, with targets if there are."""
        rows = torch.tensor(indices)
        source, labels = self.source.batch(self.split, rows)
        target: Tensor | None = None
        if self.dataset.paired:
            target, _ = self.target.batch(self.split, rows)
        return Outputs(source, labels if self.labelled else None, target, source)

    def references(self) -> dict[str, Callable[[range], Outputs]]:
        """Return functions of the sources' numbers that give other images in place of outputs.

        They are the sources, enlarged to the size of the images, and classical restorations, where
        a task makes the sources.
        """
        task = self.dataset.task
        if task is None:
            return {}
        functions: dict[str, Callable[[range], Outputs]] = {"input": self._enlarged}
        if task.classical:
            functions[task.classical] = lambda rows: self._classical(task, rows)
        return functions

    def _enlarged(self, indices: range) -> Outputs:
        """Return the sources as outputs, their pixels repeated where they are smaller."""
        given = self.given(indices)
        side = (self.target.resolution,) * 2
        return given._replace(images=interpolate(given.images, side, mode="nearest-exact"))

    def _classical(self, task: Task, indices: range) -> Outputs:
        """Return the sources restored without learning."""
        given = self.given(indices)
        return given._replace(images=task.baseline(given.images))

    def translations(self, game: TranslationGame) -> Callable[[range], Outputs]:
        """Return the translations of a game, a function of the numbers of their sources."""
        return partial(self.translated, game)

    def translated(self, game: TranslationGame, indices: range) -> Outputs:
        """Return the translations of the sources at indices, by the averaged weights."""
        given = self.given(indices)
        images = game.translate(given.images, self.direction)
        back = self.direction[::-1]
        cycle = game.translate(images, back) if back in game.directions else None
        return given._replace(images=images, cycle=cycle).to(torch.device("cpu"))
