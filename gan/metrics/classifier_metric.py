"""Metrics of classifiers that are trained on generated images."""

from abc import ABC
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from gan.algorithms.latent import LatentGame
from gan.backbones.classifier import Classifier, Training, accuracy
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.labelled_images import Subset, train_test
from gan.metrics.model_metric import ModelMetric

MIN_RESOLUTION = 8  # pixels
# one round, so that all classifiers train for equally many steps
TRAINING = Training(rounds=(500,))


@dataclass(frozen=True)
class ClassifierTrainer:
    """Trains classifiers that differ only in their training images.

    Attributes:
        dataset: that gives resolution, channels and classes.
        training: of every classifier.
        seed: of the initial weights, the order of images and the augmentation.
        device: of the computation.
    """

    dataset: ImageDataset
    training: Training
    seed: int
    device: torch.device

    def train(self, images: Subset) -> Classifier:
        """Return a classifier trained on `images`."""
        shape = (self.dataset.channels, self.dataset.resolution, self.dataset.num_classes)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            net = Classifier(*shape)
        net.to(self.device)
        self.training.fit(net, images.split, images.indices, self.seed, self.device)
        return net

    def test(self, net: Classifier, images: Subset) -> float:
        """Return the accuracy of `net` on `images`, in [0, 1]."""
        return accuracy(net, images.split, images.indices, self.device)


class ClassifierMetric(ModelMetric, ABC):
    """A metric that trains classifiers on labelled images.

    Args:
        training: of every classifier, with one round: rounds that end early would treat easy and
            hard images unequally.

    Raises:
        InputError: `training` has several rounds.
    """

    needs_labels: ClassVar[bool] = True

    def __init__(self, training: Training | None = None) -> None:
        training = training or TRAINING
        # a list from a yaml file has the stamp of a tuple
        self.training = replace(training, rounds=tuple(training.rounds))
        if len(self.training.rounds) != 1:
            raise InputError(
                f"{self.name}.training.rounds={list(self.training.rounds)}: give one number, so "
                "that all classifiers train for equally many steps"
            )
        self._of_reals: dict[tuple[int, str], Classifier] = {}

    def train_on_reals(self, trainer: ClassifierTrainer, reals: Subset) -> Classifier:
        """Return a classifier of real images, which is trained once for all checkpoints."""
        key = trainer.seed, trainer.dataset.fingerprint("train")
        if key not in self._of_reals:
            self._of_reals[key] = trainer.train(reals)
        return self._of_reals[key]

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model or data without labels, and images of fewer than 8 pixels.

        Raises:
            InputError: with the reason.
        """
        if dataset.resolution < MIN_RESOLUTION:
            raise InputError(
                f"{self.name} needs images of {MIN_RESOLUTION}x{MIN_RESOLUTION} pixels and "
                f"{dataset.name} has {dataset.resolution}x{dataset.resolution}; leave {self.name} "
                "out"
            )
        super().check(game, dataset)

    def trainer(self, game: LatentGame, dataset: ImageDataset, seed: int) -> ClassifierTrainer:
        """Return the trainer of the classifiers, on the device of the model."""
        return ClassifierTrainer(dataset, self.training, seed, game.device)

    def stamp(self) -> Stamp:
        """Return training and network of the classifiers."""
        return {
            f"{self.name}_training": str(self.training),
            f"{self.name}_network": Classifier.VERSION,
        }

    def check_count(self, setting: str, count: int | None, dataset: ImageDataset) -> None:
        """Refuse a number of real training images that the data do not have.

        Raises:
            InputError: with the largest number.
        """
        most = len(train_test(dataset, 0)[0].indices)
        if count is not None and not 1 <= count <= most:
            raise InputError(
                f"{self.name}.{setting}={count}: give 1 to {most}, the training images of "
                f"{dataset.name}"
            )
