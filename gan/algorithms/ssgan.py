"""The self-supervised game: D predicts rotations (Chen et al., 2019)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.parametrizations import spectral_norm

from gan.algorithms.gan import GAN
from gan.algorithms.latent import evaluating
from gan.algorithms.two_player import Terms
from gan.errors import InputError
from gan.layers.precision import at_least_float32
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs

ROTATIONS = 4  # by 0, 90, 180 and 270 degrees


def rotations(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return images under every rotation, and the rotations' labels.

    Args:
        images: (B, C, H, H).

    Returns:
        Images (4 B, C, H, H) and labels (4 B,) in 0..3.
    """
    rotated = torch.cat([torch.rot90(images, k, (2, 3)) for k in range(ROTATIONS)])
    labels = torch.arange(ROTATIONS, device=images.device).repeat_interleave(len(images))
    return rotated, labels


def rotate(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return :func:`rotations` of the first quarter of the images, at least one."""
    return rotations(images[: max(len(images) // ROTATIONS, 1)])


class SSGAN(GAN):
    """D also predicts the rotation of rotated images, against forgetting.

    D minimises -V - beta E log Q(r | x^r) on rotated reals, G minimises V - alpha E log Q(r|x^r) on
    rotated fakes (Chen et al., 2019, eqs. 2 and 3).

    Args:
        weight: beta.
        generator_weight: alpha.
        ingredients: see :class:`GAN`.

    Attributes:
        rotation: the classifier of rotations on D's features, spectrally normalised.

    Raises:
        InputError: if images are packed.
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
            raise InputError(f"pack={self.pack}: images are rotated one by one: set pack=1")
        self.weight, self.generator_weight = weight, generator_weight
        self.rotation = spectral_norm(nn.Linear(self.discriminator.head.width, ROTATIONS))
        self.add_network("discriminator", self.rotation)

    def _rotation_loss(self, images: Tensor) -> Tensor:
        """Return the cross-entropy of the predicted rotations of images (B, C, H, W)."""
        rotated, labels = rotate(images)
        return cross_entropy(at_least_float32(self.rotation(self.features(rotated))), labels)

    def classify_rotations(self, images: Tensor) -> Tensor:
        """Return logits (n, 4) of the rotations of images (n, C, H, H), on the CPU."""
        with evaluating(self.discriminator), evaluating(self.rotation):
            logits = self.rotation(self.discriminator.features(images.to(self.device)))
        return at_least_float32(logits).cpu()

    def answering(self) -> dict[str, nn.Module]:
        """Return the averaged generator, and the networks that tell rotations apart."""
        others = {"discriminator": self.discriminator, "rotation": self.rotation}
        return {**super().answering(), **others}

    @property
    def judges(self) -> list[nn.Module]:
        """Return the networks besides the generator whose outputs are measured."""
        return [self.discriminator, self.rotation]

    def discriminator_terms(self, out: DiscriminatorOutputs) -> Terms:
        """Return the rotation term on reals."""
        return {"rotation": self.weight * self._rotation_loss(out.batch.real)}

    def generator_terms(self, out: GeneratorOutputs) -> Terms:
        """Return the rotation term on fakes."""
        return {"rotation": self.generator_weight * self._rotation_loss(out.fake)}
