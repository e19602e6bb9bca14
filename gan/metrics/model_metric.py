"""The interface of metrics that read the trained model itself."""

from abc import ABC, abstractmethod
from typing import ClassVar

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.base import Metric


class ModelMetric(Metric, ABC):
    """A metric of the model: of its latents, or of labelled images that a classifier learns from.

    Most take minutes and generate their own images, so they are computed after training.

    Attributes:
        name: in the setting `metrics`.
        in_training: whether it takes seconds and may be measured in training.
        ranking: names of the values by which models are ranked, if it is measured in training.
        higher_is_better: of these values.
        needs_labels: whether the model must be class-conditional and the data labelled.
    """

    name: ClassVar[str]
    in_training: ClassVar[bool] = False
    ranking: ClassVar[tuple[str, ...]] = ()
    higher_is_better: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    def absence(self, game: LatentGame, dataset: ImageDataset) -> str | None:
        """Return why a model that has such values has none on these data, or ``None``.

        The metric is left out then, with a warning, where a model brings it by default.
        """
        return None

    @abstractmethod
    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return the values by name, without the prefix of the backbone.

        Uses no global RNG.

        Args:
            game: the model, on the device to use.
            dataset: that the model was trained on.
            backbone: prepared for `dataset`, on the same device.
            seed: of all random numbers.
        """

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model or data that cannot be measured, before any long work.

        Raises:
            InputError: the images of the model have another shape than the data, or the model or
                the data have no labels and the metric needs them.
        """
        shape = (dataset.channels, dataset.resolution, dataset.resolution)
        generated = tuple(game.sample(1).shape[1:])
        if generated != shape:
            raise InputError(
                f"{self.name}: generated images are {generated} and {dataset.name} is {shape}; "
                "give model and data the same channels and resolution"
            )
        if self.needs_labels:
            self._check_labels(game.generator.num_classes, dataset)

    def check_backbone(self, dataset: ImageDataset, backbone: Backbone) -> None:
        """Refuse a prepared backbone that the metric cannot use.

        Raises:
            InputError: with the reason.
        """

    def _check_labels(self, classes: int, dataset: ImageDataset) -> None:
        """Refuse a model of other classes than the data."""
        if classes == 0:
            raise InputError(
                f"{self.name} needs a class-conditional model and this one is unconditional; "
                f"train with conditioning=projection, or leave {self.name} out"
            )
        if dataset.num_classes < 2 or dataset.split("train").labels is None:
            raise InputError(
                f"{self.name} needs labelled data and {dataset.name} has no labels; "
                f"take data with classes, or leave {self.name} out"
            )
        if classes != dataset.num_classes:
            raise InputError(
                f"{self.name}: the model has {classes} classes and {dataset.name} has "
                f"{dataset.num_classes}; measure it on the data that it was trained on"
            )
