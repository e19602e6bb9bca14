"""The game with an auxiliary classifier (Odena et al., 2017)."""

from typing import Any

from torch import Tensor

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Batch, Terms
from gan.conditioning.auxiliary import ClassHead
from gan.errors import InputError
from gan.regularizers.base import Attempt, Verdict


class ACGAN(GAN):
    """D tells real from fake and, for both, the class; G is told the class and helps D to see it.

    D maximises L_S + L_C, G maximises L_C - L_S (their eqs. 2 and 3), with L_C the log-likelihood
    of the right class on reals and fakes. What stands for the likelihood is the head's to say: with
    ``conditioning=contrastive`` the game is ContraGAN's (Kang & Park, 2020), with
    ``conditioning=data_to_data`` ReACGAN's (Kang et al., 2021).

    Args:
        weight: of the classification terms of D.
        generator_weight: of that of G.
        fakes: D learns the classes from fakes too, as in AC-GAN; without, from reals alone.
        ingredients: see :class:`GAN`.

    Raises:
        InputError: if the discriminator has no classifier.
    """

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
        if not isinstance(self.discriminator.head, ClassHead):
            raise InputError(
                "model: this game classifies, but its discriminator has no classifier: choose "
                "conditioning=auxiliary, contrastive or data_to_data and labelled data, or "
                "model=dcgan"
            )

    def _class_loss(self, h: Tensor, labels: Tensor | None) -> Tensor:
        """Return the classification loss of features (B, F)."""
        assert labels is not None
        assert isinstance(self.discriminator.head, ClassHead)
        return self.discriminator.head.class_loss(h, labels)

    def discriminator_tasks(self, verdict: Verdict, batch: Batch) -> Terms:
        """Return the classification terms on reals and, if wanted, on fakes."""
        terms = {"class_real": self.weight * self._class_loss(verdict.real_features, batch.labels)}
        if self.fakes:
            fake = self._class_loss(verdict.fake_features, batch.labels)
            terms["class_fake"] = self.weight * fake
        return terms

    def generator_tasks(self, attempt: Attempt, batch: Batch) -> Terms:
        """Return the classification term on fakes."""
        loss = self._class_loss(attempt.fake_features, batch.labels)
        return {"class": self.generator_weight * loss}
