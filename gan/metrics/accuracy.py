"""What a classifier learns from generated images."""

from abc import ABC
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from tqdm import tqdm

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.classifier import Classifier, Training, accuracy
from gan.backbones.pixels import to_uint8
from gan.backbones.source import RealSource, Split
from gan.errors import InputError
from gan.metrics.probe import Probe

BATCH = 100
SMALLEST = 8  # pixels a side
# one round is a fixed length: easy images do not end the training before hard ones
STEADY = Training(rounds=(1500,))


@dataclass(frozen=True)
class Collection:
    """Images in memory as a split.

    Attributes:
        pixels: uint8 (N, C, R, R) on the CPU.
        labels: int64 (N,) on the CPU.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, indices: Tensor) -> Tensor:
        """Images at `indices`, uint8 (n, C, R, R)."""
        return self.pixels[indices]


@dataclass(frozen=True)
class Part:
    """Some images of a labelled split.

    Attributes:
        split: which.
        indices: their places in it, int64 (n,).
    """

    split: Split
    indices: Tensor

    @property
    def labels(self) -> Tensor:
        """Their classes, int64 (n,)."""
        assert self.split.labels is not None
        return self.split.labels[self.indices]

    def first(self, count: int | None) -> "Part":
        """The first `count` of them, or all."""
        return Part(self.split, self.indices[:count])

    def joined(self, other: "Part") -> "Part":
        """Both, in memory."""
        images = [part.split.images(part.indices).cpu() for part in (self, other)]
        return whole(Collection(torch.cat(images), torch.cat([self.labels, other.labels])))


def whole(split: Split) -> Part:
    """All images of a split."""
    return Part(split, torch.arange(len(split)))


def halves(source: RealSource, seed: int) -> tuple[Part, Part]:
    """Real images to learn from, shuffled, and others to be examined on.

    The others are the test split, or a tenth of the train split where there is none with labels.
    """
    train = source.split("train")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    try:
        test = source.split("test")
    except ValueError:
        test = None
    if test is not None and test.labels is not None and len(test) > 0:
        return Part(train, order), whole(test)
    tenth = max(1, len(order) // 10)
    return Part(train, order[:-tenth]), Part(train, order[-tenth:])


def drawn(game: LatentGame, labels: Tensor, seed: int) -> Part:
    """Generated images of the classes `labels` (N,), rounded to 8 bits as the reals are."""
    parts, done = [], 0
    with tqdm(total=len(labels), desc="labelled fakes", unit="img", leave=False) as bar:
        for y in torch.split(labels, BATCH):
            images = game.generate(seed, range(done, done + len(y)), y)
            parts.append(to_uint8(images).cpu())
            done += len(y)
            bar.update(len(y))
    return whole(Collection(torch.cat(parts), labels))


@dataclass(frozen=True)
class School:
    """Classifiers that differ in the images they learn from and in nothing else.

    Attributes:
        source: data set that gives resolution, channels and classes.
        training: the recipe.
        seed: of the initial weights, the order of images and the augmentation.
        device: that does the work.
    """

    source: RealSource
    training: Training
    seed: int
    device: torch.device

    def taught(self, part: Part) -> Classifier:
        """A classifier that has learnt the images of `part`."""
        source = self.source
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            net = Classifier(source.channels, source.resolution, source.num_classes)
        net.to(self.device)
        self.training.fit(net, part.split, part.indices, self.seed, self.device)
        return net

    def examined(self, net: Classifier, part: Part) -> float:
        """Fraction of the images of `part` that `net` classifies rightly."""
        return accuracy(net, part.split, part.indices, self.device)


class LabelProbe(Probe, ABC):
    """A probe that trains classifiers on labelled images.

    Args:
        training: recipe of every classifier; rounds that end early would treat easy and hard images
            unequally, so it has one round.
    """

    needs_labels: ClassVar[bool] = True

    def __init__(self, training: Training | None = None) -> None:
        training = training or STEADY
        # a list from a file is stamped as a tuple is
        self.training = replace(training, rounds=tuple(training.rounds))
        if len(self.training.rounds) != 1:
            raise InputError(
                f"{self.name}.training.rounds={list(self.training.rounds)}: give one number, for "
                "every classifier must train equally long"
            )

    def check(self, game: LatentGame, source: RealSource) -> None:
        """Also refuses images that are too small for the classifiers.

        Raises:
            InputError: no labels, or fewer than 8 pixels a side.
        """
        if source.resolution < SMALLEST:
            raise InputError(
                f"{self.name} needs images of {SMALLEST} pixels a side and {source.name} has "
                f"{source.resolution}; leave {self.name} out"
            )
        super().check(game, source)

    def school(self, game: LatentGame, source: RealSource, seed: int) -> School:
        """Where the classifiers are trained."""
        return School(source, self.training, seed, game.device)

    def stamp(self) -> dict[str, str | int | float]:
        """Recipe and network of the classifiers."""
        return {
            f"{self.name}_training": str(self.training),
            f"{self.name}_network": Classifier.VERSION,
        }

    def check_count(self, setting: str, count: int | None, source: RealSource) -> None:
        """Refuses more images than there are real ones to learn from."""
        most = len(halves(source, 0)[0].indices)
        if count is not None and not 1 <= count <= most:
            raise InputError(
                f"{self.name}.{setting}={count}: give 1 to {most}, the images of {source.name} "
                "to learn from"
            )


class ClassificationAccuracy(LabelProbe):
    """Classification accuracy score: a classifier that learnt from fakes, tested on reals.

    Ravuri and Vinyals, 2019, "Classification accuracy score for conditional generative models".
    Keys, all fractions in [0, 1]:

    * "cas": trained on fakes, tested on unseen reals. What it lacks of "cas_real" is what the model
      lacks: wrong classes, classes without variety, or images unlike the data.
    * "cas_reverse": trained on reals, tested on fakes. Chance where classes are wrong, but high
      where each class is one good image.
    * "cas_real": trained on reals, tested on unseen reals: what a perfect model would get.

    As many fakes as reals, of the same classes, for equally many steps. Departs from the paper in
    the classifier, a small one instead of ResNet-50, so that "cas_real" belongs beside "cas".

    Args:
        images: that each classifier learns from; None is all real ones.
        training: recipe of the classifiers, of one round.
    """

    name = "cas"

    def __init__(self, images: int | None = None, training: Training | None = None) -> None:
        super().__init__(training)
        self.images = images

    def check(self, game: LatentGame, source: RealSource) -> None:
        """Also refuses more images than the data have.

        Raises:
            InputError: no labels, or too many images.
        """
        super().check(game, source)
        self.check_count("images", self.images, source)

    def measure(
        self, game: LatentGame, source: RealSource, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """The three accuracies; two classifiers are trained."""
        train, test = halves(source, seed)
        reals = train.first(self.images)
        fakes = drawn(game, reals.labels, seed)
        school = self.school(game, source, seed)
        by_fakes, by_reals = school.taught(fakes), school.taught(reals)
        return {
            "cas": school.examined(by_fakes, test),
            "cas_reverse": school.examined(by_reals, fakes),
            "cas_real": school.examined(by_reals, test),
        }

    def stamp(self) -> dict[str, str | int | float]:
        """Also the number of images."""
        return super().stamp() | {"cas_images": self.images or "all"}


class Augmentation(LabelProbe):
    """What fakes add to few real images: accuracy of a classifier on unseen reals.

    The naive augmentation score of Ravuri and Vinyals, 2019, who add fakes to all reals. Keys:
    "augmentation/real", trained on the few reals; "augmentation/both", trained on them and the
    fakes for equally many steps; "augmentation/gain", their difference. The model itself has seen
    all of its training data, so a gain says what it has kept of them, not what a model of the few
    would give: for that, train it on the few.

    Args:
        reals: real images.
        generated: fakes that join them, with the class frequencies of all reals.
        training: recipe of the classifiers, of one round.
    """

    name = "augmentation"

    def __init__(
        self, reals: int = 1000, generated: int = 10_000, training: Training | None = None
    ) -> None:
        super().__init__(training)
        if generated < 1:
            raise InputError(f"augmentation.generated={generated}: give a number from 1")
        self.reals, self.generated = reals, generated

    def check(self, game: LatentGame, source: RealSource) -> None:
        """Also refuses more reals than the data have.

        Raises:
            InputError: no labels, or too many reals.
        """
        super().check(game, source)
        self.check_count("reals", self.reals, source)

    def measure(
        self, game: LatentGame, source: RealSource, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """The two accuracies and the gain; two classifiers are trained."""
        train, test = halves(source, seed)
        few = train.first(self.reals)
        labels = train.labels[torch.arange(self.generated) % len(train.indices)]
        both = few.joined(drawn(game, labels, seed))
        school = self.school(game, source, seed)
        alone, helped = (school.examined(school.taught(part), test) for part in (few, both))
        return {
            "augmentation/real": alone,
            "augmentation/both": helped,
            "augmentation/gain": helped - alone,
        }

    def stamp(self) -> dict[str, str | int | float]:
        """Also both numbers of images."""
        return super().stamp() | {
            "augmentation_reals": self.reals,
            "augmentation_generated": self.generated,
        }
