"""The classification accuracy score of a class-conditional model."""

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.classifier import Training
from gan.backbones.dataset import ImageDataset
from gan.metrics.base import Stamp
from gan.metrics.classifier_metric import ClassifierMetric
from gan.metrics.labelled_images import generate, train_test


class ClassificationAccuracy(ClassifierMetric):
    """Classification accuracy score: a classifier is trained on fakes and tested on real images.

    Ravuri and Vinyals, 2019, "Classification accuracy score for conditional generative models".
    Keys, all accuracies in [0, 1]:

    * "cas": trained on fakes, tested on unseen real images. It is below "cas_real" for a model with
      wrong classes, without variety within classes, or of images unlike the data.
    * "cas_reverse": trained on real images, tested on fakes. At chance for wrong classes; high also
      if each class is a single good image.
    * "cas_real": trained on real images, tested on unseen real images: the value of a perfect
      model.

    Fakes and real images are equally many, of the same classes, for equally many steps. Deviation
    from the paper: a small classifier instead of ResNet-50; report "cas_real" beside "cas".

    Args:
        images: number of training images of each classifier; with None all of the data, but no
            more than a training takes.
        training: of the classifiers, with one round.
    """

    name = "cas"

    def __init__(self, images: int | None = None, training: Training | None = None) -> None:
        super().__init__(training)
        self.images = images

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model or data without labels, and more images than the data have.

        Raises:
            InputError: with the reason.
        """
        super().check(game, dataset)
        self.check_count("images", self.images, dataset)

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Train two classifiers and return the three accuracies."""
        train, test = train_test(dataset, seed)
        reals = train.first(self.images or self.training.images)
        fakes = generate(game, reals.labels, seed)
        trainer = self.trainer(game, dataset, seed)
        of_fakes, of_reals = trainer.train(fakes), self.train_on_reals(trainer, reals)
        return {
            "cas": trainer.test(of_fakes, test),
            "cas_reverse": trainer.test(of_reals, fakes),
            "cas_real": trainer.test(of_reals, test),
        }

    def stamp(self) -> Stamp:
        """Return training, network and number of images."""
        return super().stamp() | {"cas_images": self.images or "all that a training takes"}
