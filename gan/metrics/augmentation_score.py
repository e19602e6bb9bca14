"""The accuracy that fakes add to a small set of real images."""

import torch

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.classifier import Training
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.classifier_metric import ClassifierMetric
from gan.metrics.labelled_images import generate, train_test


class AugmentationScore(ClassifierMetric):
    """Accuracy of a classifier of few real images, without and with added fakes.

    The naive augmentation score of Ravuri and Vinyals, 2019, who add fakes to all real images.
    Keys, all accuracies on unseen real images: "augmentation/real", trained on the few real images;
    "augmentation/both", trained on these and the fakes for equally many steps; "augmentation/gain",
    the difference. The model was trained on all training images, so the gain does not predict that
    of a model of the few images: for that, train the model on the few.

    Args:
        reals: number of real images.
        generated: number of fakes, with the class frequencies of all real images.
        training: of the classifiers, with one round.

    Raises:
        InputError: no fakes, or `training` has several rounds.
    """

    name = "augmentation"

    def __init__(
        self, reals: int = 1000, generated: int = 10_000, training: Training | None = None
    ) -> None:
        super().__init__(training)
        if generated < 1:
            raise InputError(f"augmentation.generated={generated}: give a number from 1")
        self.reals, self.generated = reals, generated

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model or data without labels, and more real images than the data have.

        Raises:
            InputError: with the reason.
        """
        super().check(game, dataset)
        self.check_count("reals", self.reals, dataset)

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Train two classifiers and return their accuracies and the gain."""
        train, test = train_test(dataset, seed)
        few = train.first(self.reals)
        labels = train.labels[torch.arange(self.generated) % len(train.indices)]
        both = few.concatenate(generate(game, labels, seed))
        trainer = self.trainer(game, dataset, seed)
        without = trainer.test(self.train_on_reals(trainer, few), test)
        with_fakes = trainer.test(trainer.train(both), test)
        return {
            "augmentation/real": without,
            "augmentation/both": with_fakes,
            "augmentation/gain": with_fakes - without,
        }

    def stamp(self) -> Stamp:
        """Return training, network and both numbers of images."""
        return super().stamp() | {
            "augmentation_reals": self.reals,
            "augmentation_generated": self.generated,
        }
