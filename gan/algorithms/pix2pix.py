"""Image-to-image translation from pairs (Isola et al., 2017)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, l1_loss

from gan.algorithms.restoration import RestorationGame
from gan.algorithms.two_player import Terms
from gan.augment.base import Augmentation
from gan.batch import PairBatch
from gan.errors import InputError


class Pix2Pix(RestorationGame):
    """D tells pairs (x, y) from pairs (x, G(x)); G makes D wrong and is near y (eq. 1, 3, 4).

    Args:
        generator: sources to images.
        discriminator: of the channels of source and image, stacked.
        l1: lambda, weight of E |y - G(x)|, the mean over pixels.
        ingredients: see :class:`~gan.algorithms.restoration.RestorationGame`.

    Raises:
        InputError: if images are augmented, which would change one image of a pair alone.
    """

    def __init__(self, *args: Any, l1: float = 100.0, **ingredients: Any) -> None:
        super().__init__(*args, **ingredients)
        self.l1 = l1
        if type(self.critic.augment) is not Augmentation:
            raise InputError("augment: it would change one image of a pair alone: set augment=none")

    def discriminator_loss(self, batch: PairBatch) -> Terms:
        """Return the adversarial term of both kinds of pairs, and those of regularizers."""
        with torch.no_grad():
            fake = self.restored(self.generator, batch.source).to(batch.real.dtype)
        critic = self.critic.given(_fit(batch.source, batch.real))
        return self.discriminator_terms(critic, batch, fake)

    def generator_loss(self, batch: PairBatch) -> Terms:
        """Return the adversarial term, those of regularizers, and L1."""
        fake = self.restored(self.generator, batch.source)
        critic = self.critic.given(_fit(batch.source, batch.real))
        adversarial = self.generator_terms(critic, batch, fake)
        return {**adversarial, "l1": self.l1 * l1_loss(fake, batch.real)}


def _fit(source: Tensor, real: Tensor) -> Tensor:
    """Return sources (B, C, h, w) enlarged bicubically to the size of the images."""
    if source.shape[2:] == real.shape[2:]:
        return source
    return interpolate(source, real.shape[2:], mode="bicubic")
