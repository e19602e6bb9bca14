"""The game whose discriminator judges pairs of image and latent (Donahue et al., 2017)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Terms
from gan.batch import EncodedBatch, LatentBatch
from gan.errors import InputError
from gan.latents import Uniform
from gan.networks.joint import JointDiscriminator, JointEncoder, pair
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs


class BiGAN(GAN, EncodingGame):
    """D tells pairs (x, E(x)) of the data from pairs (G(z), z); G and E are one player.

    At the optimum E inverts G (Donahue et al., 2017, theorem 2; Dumoulin et al., 2017, ALI). G and
    E minimise the loss of D with real and fake exchanged, or what their loss has instead; see
    :meth:`~gan.losses.base.AdversarialLoss.joint`. Penalties on gradients differentiate by image
    and latent. Augmentations change the images of pairs. Labels enter G and D, not E.

    Args:
        encoder: E, images to latents.
        ingredients: see :class:`GAN`.

    Raises:
        InputError: if the ingredients do not go together.
    """

    discriminator: JointDiscriminator
    encoder: JointEncoder

    def __init__(self, *args: Any, encoder: JointEncoder, **ingredients: Any) -> None:
        super().__init__(*args, encoder=encoder, **ingredients)
        if not isinstance(self.discriminator, JointDiscriminator):
            raise InputError(
                f"model.discriminator: {type(self.discriminator).__name__} judges images alone: "
                "give one that derives from gan.networks.joint.JointDiscriminator"
            )
        if encoder.bounded and not isinstance(self.prior, Uniform):
            raise InputError(
                "prior: the encoder's latents lie in (-1, 1), those of the prior do not: set "
                "model.encoder.bounded=false or prior=uniform"
            )
        if self.pack > 1:
            raise InputError(f"pack={self.pack}: a latent is that of one image: set pack=1")
        self._check_regularizers()

    def _check_regularizers(self) -> None:
        """Refuse regularizers that change images or latents of pairs."""
        for name, regularizer in self.regularizers.items():
            if regularizer.needs_latents or regularizer.transforms_images:
                raise InputError(
                    f"regularizers.{name} changes images or latents, but here they are judged in "
                    f"pairs: leave {name} out"
                )

    def features(self, images: Tensor) -> Tensor:
        """Return the discriminator's features h of pairs (B, C H W + dim), images augmented."""
        x, z = self.discriminator.split(images)
        return self.discriminator.features(pair(self.augment(x), z))

    def judged(self, images: Tensor, z: Tensor) -> Tensor:
        """Return the pairs (B, C H W + dim) of images and their latents."""
        return pair(images, z)

    def pairs(self, batch: LatentBatch) -> tuple[Tensor, Tensor]:
        """Return the pairs (x, E(x)) and (G(z), z), each (B, C H W + dim)."""
        assert isinstance(batch, EncodedBatch)
        z = self.encoder.draw(batch.real, batch.noise)
        return pair(batch.real, z), pair(self.generator(batch.z, batch.labels), batch.z)

    def discriminator_loss(self, batch: LatentBatch) -> Terms:
        """Return the adversarial term and those of regularizers."""
        due = self.due(self.discriminator_update)
        with torch.no_grad():
            real, fake = self.pairs(batch)
        real, fake = due.attach(self.augment.substitute_reals(real, fake), fake)
        real_logits, h_real = self.discriminate(real, batch.labels)
        fake_logits, h_fake = self.discriminate(fake, batch.labels)
        self.observe(real_logits.detach(), fake_logits.detach())
        adversarial = self.loss.discriminator(real_logits, fake_logits)
        pairs = replace(batch, real=real.detach())
        out = DiscriminatorOutputs(pairs, real, fake, real_logits, fake_logits, h_real, h_fake)
        return {"adversarial": adversarial, **due.penalties(out, self)}

    def generator_loss(self, batch: LatentBatch) -> Terms:
        """Return the adversarial term of G and E, and those of regularizers."""
        due = self.due(self.clock.step)
        real, fake = self.pairs(batch)
        real_logits, _ = self.discriminate(real, batch.labels)
        fake_logits, h_fake = self.discriminate(fake, batch.labels)
        selected = due.select(fake_logits, self.clock.images)
        adversarial = self.loss.joint(selected, real_logits)
        out = GeneratorOutputs(replace(batch, real=real.detach()), fake, fake_logits, h_fake)
        return {"adversarial": adversarial, **due.generator_penalties(out, self)}
