"""The game with an auxiliary classifier (Odena et al., 2017)."""

from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Batch, Terms
from gan.conditioning import AuxiliaryHead
from gan.errors import InputError
from gan.regularizers.base import Verdict


class ACGAN(GAN):
    """D tells real from fake and, for both, the class; G is told the class and helps D to see it.

    D maximises L_S + L_C, G maximises L_C - L_S (their eqs. 2 and 3), with L_C the log-likelihood
    of the right class on reals and fakes.

    Args:
        weight: of the classification terms of D.
        generator_weight: of that of G.
        fakes: D learns the classes from fakes too, as in the paper; without, from reals alone.
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
        head = getattr(self.discriminator, "head", None)
        if not isinstance(head, AuxiliaryHead):
            raise InputError(
                "model=acgan classifies, but its discriminator has no classifier: choose "
                "conditioning=auxiliary and labelled data, or model=dcgan"
            )
        self._head = [head]  # not a module of the game's own

    def _class_loss(self, h: Tensor, labels: Tensor | None) -> Tensor:
        """Return the cross-entropy of the classes of features (B, F)."""
        assert labels is not None
        return cross_entropy(self._head[0].classify(h).float(), labels)

    def discriminator_tasks(self, verdict: Verdict, batch: Batch) -> Terms:
        """Return the classification terms on reals and, if wanted, on fakes."""
        terms = {"class_real": self.weight * self._class_loss(verdict.real_features, batch.labels)}
        if self.fakes:
            fake = self._class_loss(verdict.fake_features, batch.labels)
            terms["class_fake"] = self.weight * fake
        return terms

    def generator_tasks(self, h: Tensor, batch: Batch) -> Terms:
        """Return the classification term on fakes."""
        return {"class": self.generator_weight * self._class_loss(h, batch.labels)}
