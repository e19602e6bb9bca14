"""The game with rotations to be recognised (Chen et al., 2019)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.parametrizations import spectral_norm

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Batch, Terms
from gan.errors import InputError
from gan.layers.precision import at_least_float32
from gan.regularizers.base import Attempt, Verdict

ROTATIONS = 4  # by 0, 90, 180 and 270 degrees


def rotated(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return a quarter of the images, (B, C, H, W), under every rotation, and which it was.

    At least one; B // 4 images make 4 (B // 4), so that the task costs as much as the batch.
    """
    some = images[: max(len(images) // ROTATIONS, 1)]
    turned = torch.cat([torch.rot90(some, k, (2, 3)) for k in range(ROTATIONS)])
    which = torch.arange(ROTATIONS, device=images.device).repeat_interleave(len(some))
    return turned, which


class SSGAN(GAN):
    """D must also tell by how much an image was turned, so that it does not forget what it learned.

    D minimises -V - beta E log Q(r | x^r) on turned reals, G minimises V - alpha E log Q(r|x^r) on
    turned fakes (Chen et al., 2019, eqs. 2 and 3): both help at the task, each on its own images.

    Args:
        weight: beta.
        generator_weight: alpha.
        ingredients: see :class:`GAN`.

    Attributes:
        rotation: the classifier of rotations on D's features, spectrally normalised.

    Raises:
        InputError: if images are judged in packs.
    """

    def __init__(
        self,
        *args: Any,
        weight: float = 1.0,
        generator_weight: float = 0.2,
        **ingredients: Any,
    ) -> None:
        super().__init__(*args, **ingredients)
        if self.pack > 1:
            raise InputError(f"pack={self.pack}: images are turned one by one: set pack=1")
        self.weight, self.generator_weight = weight, generator_weight
        self.rotation = spectral_norm(nn.Linear(self.discriminator.head.width, ROTATIONS))
        self.enlist("discriminator", self.rotation)

    def _rotation_loss(self, images: Tensor) -> Tensor:
        """Return the cross-entropy of the rotations of turned images."""
        turned, which = rotated(images)
        return cross_entropy(at_least_float32(self.rotation(self.features(turned))), which)

    def discriminator_tasks(self, verdict: Verdict, batch: Batch) -> Terms:
        """Return the term on reals."""
        return {"rotation": self.weight * self._rotation_loss(batch.real)}

    def generator_tasks(self, attempt: Attempt, batch: Batch) -> Terms:
        """Return the term on fakes."""
        return {"rotation": self.generator_weight * self._rotation_loss(attempt.fake)}
