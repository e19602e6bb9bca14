"""The game with an auxiliary classifier (Odena et al., 2017)."""

from typing import Any

from torch import Tensor, nn

from gan.algorithms.classification import class_logits
from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Terms
from gan.conditioning.auxiliary import ClassHead
from gan.errors import InputError
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs


class ACGAN(GAN):
    """D predicts real or fake and the class; G is given the class and makes it recognisable.

    D maximises L_S + L_C, G maximises L_C - L_S (their eqs. 2 and 3), with L_C the log-likelihood
    of the right class on reals and fakes. The head of the discriminator computes L_C: with
    ``conditioning=contrastive`` the game is ContraGAN's (Kang & Park, 2020), with
    ``conditioning=data_to_data`` ReACGAN's (Kang et al., 2021). Without labels it is plain GAN.

    Args:
        weight: of the classification terms of D.
        generator_weight: of that of G.
        fakes: D's classification loss includes the fakes, as in AC-GAN.
        ingredients: see :class:`GAN`.

    Raises:
        InputError: if the discriminator has no classifier.
    """

    classifies = True

    def __init__(
        self,
        *args: Any,
        weight: float = 1.0,
        generator_weight: float = 1.0,
        fakes: bool = True,
        **ingredients: Any,
    ) -> None:
        super().__init__(*args, **ingredients)
        self.weight, self.generator_weight, self.fakes = weight, generator_weight, fakes
        if self.generator.num_classes and not isinstance(self.discriminator.head, ClassHead):
            raise InputError(
                "model: this game classifies, but its discriminator has no classifier: choose "
                "conditioning=auxiliary, contrastive or data_to_data, or another model"
            )

    def _class_loss(self, name: str, weight: float, h: Tensor, labels: Tensor | None) -> Terms:
        """Return the weighted classification loss of features (B, F), where there are labels."""
        head = self.discriminator.head
        if labels is None or not isinstance(head, ClassHead):
            return {}
        return {name: weight * head.class_loss(h, labels)}

    def classify(self, images: Tensor) -> Tensor:
        """Return class logits (n, K) of images (n, C, H, W) in [-1, 1], on the CPU.

        Those of a contrastive head are similarities to the proxies of the classes.

        Raises:
            InputError: if the model is unconditional, and so has no classifier.
        """
        if not self.generator.num_classes:
            return super().classify(images)
        return class_logits(self.discriminator, images)

    @property
    def num_classified(self) -> int:
        """Return the number of classes; 0 for an unconditional model."""
        return self.generator.num_classes

    def answering(self) -> dict[str, nn.Module]:
        """Return the averaged generator, and D, which classifies."""
        return {**super().answering(), "discriminator": self.discriminator}

    @property
    def judges(self) -> list[nn.Module]:
        """Return the networks besides the generator whose outputs are measured."""
        return [self.discriminator]

    def discriminator_terms(self, out: DiscriminatorOutputs) -> Terms:
        """Return the classification terms on reals and, with ``fakes``, on fakes."""
        labels = out.batch.labels
        terms = self._class_loss("class_real", self.weight, out.real_features, labels)
        if self.fakes:
            terms |= self._class_loss("class_fake", self.weight, out.fake_features, labels)
        return terms

    def generator_terms(self, out: GeneratorOutputs) -> Terms:
        """Return the classification term on fakes."""
        h, labels = out.fake_features, out.batch.labels
        return self._class_loss("class", self.generator_weight, h, labels)
