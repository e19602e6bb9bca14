"""Measurements that need more of a model than the features of its images."""

from abc import ABC, abstractmethod
from typing import ClassVar

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.source import RealSource
from gan.errors import InputError


class Probe(ABC):
    """A measurement of a model itself: of its labelled images, or of its latents.

    Takes minutes and as many images as it asks for, so it belongs after the training.

    Attributes:
        name: what a user calls it.
        needs_labels: whether the model must be class-conditional and the data labelled.
    """

    name: ClassVar[str]
    needs_labels: ClassVar[bool] = False

    @abstractmethod
    def measure(
        self, game: LatentGame, source: RealSource, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Values under their names, without the backbone's prefix; no global RNG is touched.

        Args:
            game: the model; its device does the work.
            source: the data set that it was trained on.
            backbone: prepared for `source`, on the same device.
            seed: of everything that is drawn.
        """

    @abstractmethod
    def stamp(self) -> dict[str, str | int | float]:
        """The settings without which the values do not compare."""

    def check(self, game: LatentGame, source: RealSource) -> None:
        """Refuses, before any long work, what cannot be measured.

        Raises:
            InputError: the model's images are of another shape than the data's, or labels are
                needed that the model or the data have not.
        """
        shape = (source.channels, source.resolution, source.resolution)
        drawn = tuple(game.sample(1).shape[1:])
        if drawn != shape:
            raise InputError(
                f"{self.name}: generated images are {drawn} and {source.name} is {shape}; "
                "give model and data the same channels and resolution"
            )
        if self.needs_labels:
            self._check_labels(game.generator.num_classes, source)

    def check_backbone(self, source: RealSource, backbone: Backbone) -> None:  # noqa: B027
        """Refuses, once it is prepared, a backbone that the probe cannot look through.

        Raises:
            InputError: so it is.
        """

    def _check_labels(self, classes: int, source: RealSource) -> None:
        if classes == 0:
            raise InputError(
                f"{self.name} needs a class-conditional model and this one knows no classes; "
                f"train with conditioning=projection, or leave {self.name} out"
            )
        if source.num_classes < 2 or source.split("train").labels is None:
            raise InputError(
                f"{self.name} needs labelled data and {source.name} has no labels; "
                f"take data with classes, or leave {self.name} out"
            )
        if classes != source.num_classes:
            raise InputError(
                f"{self.name}: the model knows {classes} classes and {source.name} has "
                f"{source.num_classes}; measure it on the data that it was trained on"
            )
