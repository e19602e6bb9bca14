"""The accuracy of the classifier that a model has learned."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.ssgan import ROTATIONS, SSGAN, rotations
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset, has_split
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.model_metric import ModelMetric

BATCH = 100  # images
_SPLIT = "test"


class ClassAccuracy(ModelMetric):
    """Accuracy of the model's classifier on the test split, key "class_accuracy", in [0, 1].

    The classifier is the auxiliary one of the discriminator, the nearest proxy of a contrastive
    discriminator, or the averaged discriminator of a semi-supervised game.
    """

    name = "class_accuracy"
    in_training = True
    ranking = ("class_accuracy",)

    def absence(self, game: LatentGame, dataset: ImageDataset) -> str | None:
        """Return that the data have no labelled test split, or the model was given no labels."""
        if not has_split(dataset, _SPLIT) or dataset.split(_SPLIT).labels is None:
            return f"{dataset.name} has no labelled test split"
        if game.judges and not game.num_classified:
            return "the model is unconditional"
        return None

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model without a classifier of the classes of the data.

        Raises:
            InputError: with the reason.
        """
        classes = game.num_classified
        if classes != dataset.num_classes:
            known = f"the model tells {classes} classes apart" if classes else "no classifier"
            raise InputError(
                f"class_accuracy: {known}, and {dataset.name} has {dataset.num_classes} classes: "
                "train model=acgan, contragan, reacgan or semi_supervised, or leave it out"
            )
        super().check(game, dataset)

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return the share of test images whose class has the largest logit."""
        pairs = ((game.classify(images), labels) for images, labels in _labelled(dataset))
        return {"class_accuracy": _accuracy(pairs)}

    def stamp(self) -> Stamp:
        """Return the split."""
        return {"class_accuracy_split": _SPLIT}


class RotationAccuracy(ModelMetric):
    """Accuracy of SS-GAN's discriminator on rotations, key "rotation_accuracy", in [0, 1].

    Each test image counts four times, rotated by 0, 90, 180 and 270 degrees (Chen et al., 2019).
    """

    name = "rotation_accuracy"
    in_training = True
    ranking = ("rotation_accuracy",)

    def absence(self, game: LatentGame, dataset: ImageDataset) -> str | None:
        """Return that the data have no test split."""
        return None if has_split(dataset, _SPLIT) else f"{dataset.name} has no test split"

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model that predicts no rotations.

        Raises:
            InputError: with the reason.
        """
        if not isinstance(game, SSGAN):
            raise InputError(
                "rotation_accuracy: the model predicts no rotations: train model=ssgan, or leave "
                "it out"
            )
        super().check(game, dataset)

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return the share of rotated test images whose rotation has the largest logit."""
        assert isinstance(game, SSGAN)
        rotated = (rotations(images) for images, _ in dataset.reals(_SPLIT, BATCH // ROTATIONS))
        pairs = ((game.classify_rotations(images), labels) for images, labels in rotated)
        return {"rotation_accuracy": _accuracy(pairs)}

    def stamp(self) -> Stamp:
        """Return the split."""
        return {"rotation_accuracy_split": _SPLIT}


def _labelled(dataset: ImageDataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the test images with their labels, in batches."""
    for images, labels in dataset.reals(_SPLIT, BATCH):
        assert labels is not None
        yield images, labels


def _accuracy(pairs: Iterator[tuple[Tensor, Tensor]]) -> float:
    """Return the share of logits (B, K), of which the largest is that of the label, (B,)."""
    hits = torch.cat([logits.argmax(1) == labels.cpu() for logits, labels in pairs])
    return float(hits.double().mean())
