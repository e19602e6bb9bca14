"""Classifying with few labels (Salimans et al., 2016)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gan.algorithms.classification import class_logits
from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Pair, Terms
from gan.averaging import Averaging, NoAveraging
from gan.batch import LatentBatch
from gan.conditioning.auxiliary import ClassHead
from gan.conditioning.log_sum_exp import LogSumExpHead
from gan.errors import InputError
from gan.layers.weight_norm import initialize_from_data
from gan.networks.base import Discriminator, Generator
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs
from gan.regularizers.feature_matching import mean_feature


@dataclass(frozen=True)
class FewLabelsBatch(LatentBatch):
    """Images without labels, the latents of as many fakes, and as many images with labels.

    Attributes:
        labelled: images (B, C, H, W) in [-1, 1].
        classes: their labels, (B,) of int64.
    """

    labelled: Tensor
    classes: Tensor


class SemiSupervised(GAN):
    """D classifies into K classes and "fake", from few labels; G matches D's mean features.

    D minimises the cross-entropy of the K classes on labelled images, and half the adversarial loss
    of its logit log sum exp l, which is that of "not fake" (their section 5 and code); all images,
    without their labels, are the real ones. G minimises the distance between the means of D's
    features of real images and of fakes (section 3.1). Weight-normalised layers are initialised
    from the first batch. With ``loss=none`` D learns from the labelled images alone and G does
    not learn: the baseline.

    Deviations: the first batch initialises, not 500 images; G is updated on the images of D's
    update, not on others.

    Args:
        generator: latents to images, unconditional.
        discriminator: images to K class logits.
        matching: distance of two mean features, (F,) each: the mean square, or ``torch.nn.L1Loss``.
        unlabelled: weight of D's adversarial term.
        adversarial: weight of that of G, beside feature matching; 0 leaves it out.
        classifier_averaging: of D's weights, for the network that classifies.
        ingredients: see :class:`~gan.algorithms.gan.GAN`.

    Attributes:
        classifier: the averaged discriminator.

    Raises:
        InputError: if G has labels, D has no such logits, or images are packed.
    """

    classifier: Discriminator
    classifies = True
    needs_adversary = False
    classifier_name = "averaged discriminator"

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        *args: Any,
        matching: nn.Module | None = None,
        unlabelled: float = 0.5,
        adversarial: float = 0.0,
        classifier_averaging: Averaging | None = None,
        **ingredients: Any,
    ) -> None:
        _check_labels(generator, discriminator)
        super().__init__(generator, discriminator, *args, **ingredients)
        if self.pack > 1:
            raise InputError(f"pack={self.pack}: images are classified one by one: set pack=1")
        self.matching = matching or nn.MSELoss()
        self.unlabelled, self.adversarial = unlabelled, adversarial
        self.classifier_averaging = classifier_averaging or NoAveraging()
        self.add_module("classifier", self.classifier_averaging.copy(discriminator))

    def make_batch(self, images: Pair, turn: int) -> FewLabelsBatch:  # type: ignore[override]
        """Return this device's images of both kinds with its share of the latents of an update."""
        (labelled, classes), (every, _) = images
        assert classes is not None
        batch = super().make_batch((every, None), turn)
        return FewLabelsBatch(batch.real, None, batch.z, batch.epsilon, labelled, classes)

    def training_step(self, batches: Sequence[Pair], batch_idx: int) -> dict[str, Any]:
        """Run one step; before the first, initialise weight-normalised layers from its batch."""
        if self.clock.step == 0:
            self._initialize(self.make_batch(batches[0], 0))
        return super().training_step(batches, batch_idx)

    def _initialize(self, batch: FewLabelsBatch) -> None:
        """Initialise networks that inherit no weights, and start their averages there."""
        if "discriminator" not in self.inherited:
            given = batch.real if self.loss.adversarial else batch.labelled
            initialize_from_data(self.discriminator, given)
            self.classifier.load_state_dict(self.discriminator.state_dict())
        if "generator" not in self.inherited:
            if self.loss.adversarial:
                initialize_from_data(self.generator, batch.z)
            self.averaged.load_state_dict(self.generator.state_dict())

    def discriminator_loss(self, batch: LatentBatch) -> Terms:
        """Return the class term, and with an adversarial loss the others."""
        if not self.loss.adversarial:
            return {"class": self._class_loss(batch)}
        terms = super().discriminator_loss(batch)
        return terms | {"adversarial": self.unlabelled * terms["adversarial"]}

    def _class_loss(self, batch: Any) -> Tensor:
        """Return the cross-entropy of the K classes on the labelled images."""
        assert isinstance(batch, FewLabelsBatch)
        head = self.discriminator.head
        assert isinstance(head, ClassHead)
        return head.class_loss(self.features(batch.labelled), batch.classes)

    def discriminator_terms(self, out: DiscriminatorOutputs) -> Terms:
        """Return the class term."""
        return {"class": self._class_loss(out.batch)}

    def generator_loss(self, batch: LatentBatch) -> Terms:
        """Return the distance of features; without an adversarial loss G does not learn."""
        if not self.loss.adversarial:
            return {}
        terms = super().generator_loss(batch)
        weighted = self.adversarial * terms.pop("adversarial")
        return {"adversarial": weighted, **terms} if self.adversarial else terms

    def generator_terms(self, out: GeneratorOutputs) -> Terms:
        """Return the distance of the mean features of fakes and real images."""
        with torch.no_grad():
            real = mean_feature(self.features(out.batch.real))
        return {"feature_matching": self.matching(mean_feature(out.fake_features), real)}

    def update_averages(self, images: int) -> None:
        """Average the weights of both networks after a step of ``images`` real images."""
        super().update_averages(images)
        self.classifier_averaging.update(
            self.classifier, self.discriminator, images, self.clock.images - images
        )

    def classify(self, images: Tensor) -> Tensor:
        """Return class logits (n, K) of images (n, C, H, W) in [-1, 1], on the CPU."""
        return class_logits(self.classifier, images)

    def answering(self) -> dict[str, nn.Module]:
        """Return the averaged generator and the classifier."""
        return {**super().answering(), "classifier": self.classifier}

    def drop_training(self, kept: Collection[str]) -> None:
        """Drop the networks that training alone needs; the classifier is the discriminator."""
        super().drop_training(kept)
        if self.discriminator is None:
            self.discriminator = self.classifier

    @property
    def num_classified(self) -> int:
        """Return K."""
        head = self.discriminator.head
        assert isinstance(head, LogSumExpHead)
        return head.num_classes

    @property
    def judges(self) -> list[nn.Module]:
        """Return the networks besides the generator whose outputs are measured."""
        return [self.classifier]


def _check_labels(generator: Generator, discriminator: Discriminator) -> None:
    """Refuse a generator with labels, and a discriminator that has not K logits."""
    if getattr(generator, "num_classes", 0):
        raise InputError(
            "conditioning: most images have no label here, so that the generator has none: set "
            "conditioning=none"
        )
    if not isinstance(getattr(discriminator, "head", None), LogSumExpHead):
        raise InputError(
            "model.discriminator: its logit must be that of class logits: take the discriminator "
            "of model=semi_supervised or semi_supervised_cnn"
        )
