"""The classifier that a run has learned, for pictures of files and splits of its data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.backbones.dataset import has_split
from gan.errors import InputError
from gan.progress import bar
from gan.runs.checkpoints import load
from gan.runs.folder import Run
from gan.runs.pictures import find_pictures

_BATCH = 100  # images


@dataclass(frozen=True)
class Predictions:
    """What a classifier tells of images.

    Attributes:
        files: name of each image.
        classes: the most probable class of each, (N,) of int64.
        probabilities: of that class among all classes, (N,).
        labels: of the images, (N,) of int64, or ``None``.
        names: of the classes.
        classifier: the network, in words.
        found: what was done to pictures before, a phrase each.
    """

    files: Sequence[str]
    classes: Tensor
    probabilities: Tensor
    labels: Tensor | None
    names: Sequence[str]
    classifier: str
    found: Sequence[str] = ()

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, class and probability of each image."""
        numbers, shares = self.classes.tolist(), self.probabilities.tolist()
        for file, number, share in zip(self.files, numbers, shares, strict=True):
            yield file, self.names[number], f"{share:.6f}"


class RunClassifier:
    """A trained game that classifies.

    Args:
        run: the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: of the game.

    Raises:
        InputError: if the run has no such game or checkpoint.
    """

    def __init__(self, run: Run, checkpoint: str | None, device: torch.device) -> None:
        self._run = run
        game = load(run.path, checkpoint, run.allow_targets, LatentGame)
        if not game.num_classified:
            raise InputError(
                f"run={run.path}: its {type(game).__name__} has no classifier: train model=acgan, "
                "contragan, reacgan or semi_supervised, with labels"
            )
        self._game = game.to(device)
        self._names = [game.class_names.name(k) for k in range(game.num_classified)]

    def classify_split(self, split: str, root: str | None = None) -> Predictions:
        """Return the predictions for a split of the run's data.

        Args:
            split: its name.
            root: where the files are now; by default where they were.

        Raises:
            InputError: if there is no such split.
        """
        data: Any = self._run.data(root)
        if not has_split(data, split):
            raise InputError(f"split={split}: {data.name} has none: give another, or images=FOLDER")
        count, labels = len(data.split(split)), data.split(split).labels
        parts = (images for images, _ in data.reals(split, _BATCH))
        return self._predict([f"{split}/{k}" for k in range(count)], parts, labels)

    def classify_pictures(self, path: Path) -> Predictions:
        """Return the predictions for a folder or zip file of pictures, or one picture.

        Pictures have labels where each lies in a folder that is named after a class.

        Raises:
            DataError: if there are none, or a file is none.
        """
        config = self._run.config
        pictures = find_pictures(config, path, config.data.resolution)
        names = list(pictures.names)
        parts = (
            torch.stack([pictures.read(name) for name in names[k : k + _BATCH]]) / 127.5 - 1
            for k in range(0, len(names), _BATCH)
        )
        labels = labels_of_folders(names, self._names)
        return self._predict(names, parts, labels, pictures.found)

    def _predict(
        self,
        files: Sequence[str],
        parts: Iterator[Tensor],
        labels: Tensor | None,
        found: Sequence[str] = (),
    ) -> Predictions:
        """Return the predictions for batches of images (B, C, H, W) in [-1, 1]."""
        probabilities = []
        with bar("images", len(files), "img") as progress:
            for images in parts:
                probabilities.append(self._game.classify(images).softmax(1))
                progress.update(len(images))
        largest, classes = torch.cat(probabilities).max(1)
        name = self._game.classifier_name
        return Predictions(files, classes, largest, labels, self._names, name, found)


def labels_of_folders(files: Sequence[str], names: Sequence[str]) -> Tensor | None:
    """Return the labels of files that all lie in folders named after classes, else ``None``.

    Args:
        files: with forward slashes, such as "test/cat/1.png"; the innermost folder counts.
        names: of the classes in the order of their labels; their numbers name them, too.
    """
    numbers = {str(k): k for k in range(len(names))} | {name: k for k, name in enumerate(names)}
    labels = [numbers.get(PurePosixPath(file).parent.name) for file in files]
    known = [label for label in labels if label is not None]
    return torch.tensor(known) if len(known) == len(labels) else None
