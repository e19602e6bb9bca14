"""The game of the first paper: real or fake (Goodfellow et al., 2014)."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from gan import counts
from gan.algorithms.compatibility import check_ingredients
from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import Terms
from gan.augment.base import Augmentation
from gan.batch import LatentBatch
from gan.errors import InputError
from gan.layers.convolution import twice_differentiable
from gan.layers.precision import at_least_float32
from gan.losses.base import AdversarialLoss
from gan.losses.own import with_defaults
from gan.networks.base import Discriminator, Generator
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs, Regularizer
from gan.regularizers.due import DueRegularizers


class GAN(LatentGame):
    """D tells real images from generated ones, G makes D wrong, both given the label if any.

    Args:
        generator: latents to images.
        discriminator: images to logits.
        loss: the adversarial loss.
        regularizers: terms of the players' losses, by log name.
        augment: applied to all images that the discriminator is given.
        pack: images that get one logit together, stacked along the channels (PacGAN; Lin et al.,
            2018); the discriminator's ``channels`` are as many times those of the images.
        settings: see :class:`LatentGame`.

    Attributes:
        classifies: the game trains a classifier on the discriminator, if there is one.
        needs_adversary: the game has no objective without an adversarial loss.

    Raises:
        InputError: if the ingredients do not go together.
    """

    discriminator: Discriminator
    classifies: bool = False
    needs_adversary: bool = True

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augment: Augmentation | None = None,
        pack: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(generator, discriminator, **settings)
        self.loss = with_defaults(loss)
        self.regularizers = dict(regularizers or {})
        self.augment = augment or Augmentation()
        self.pack = pack
        check_ingredients(self)
        self.regularizer_state = nn.ModuleDict(self.regularizers)

    def features(self, images: Tensor) -> Tensor:
        """Return the discriminator's features h of images (B, C, H, W), augmented and packed."""
        images = self.augment(images)
        if self.pack > 1:
            if len(images) % self.pack:
                given = counts.show(len(images), "image")
                raise InputError(
                    f"pack={self.pack} does not divide the {given} of a device: "
                    "give a batch_size that it divides"
                )
            images = images.reshape(-1, self.pack * images.shape[1], *images.shape[2:])
        return self.discriminator.features(images)

    def discriminate(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the logits of images, in float32 or wider, and the features h.

        Images that a penalty will differentiate by are leaves of the graph: autocast is off for
        them, and compiled functions are not used.
        """
        differentiated = images.is_leaf and images.requires_grad
        with twice_differentiable(images.device) if differentiated else nullcontext():
            h = self.features(images)
            return at_least_float32(self.discriminator.score(h, labels)), h

    def class_outputs(self, h: Tensor) -> Tensor | None:
        """Return what the head's classifier, if there is one, makes of features h, (B, n)."""
        return self.discriminator.head.class_outputs(at_least_float32(h))

    def due(self, update: int) -> DueRegularizers:
        """Return the regularizers that are due in an update of their player, counted from 0."""
        return DueRegularizers(
            {name: r for name, r in self.regularizers.items() if update % r.every == 0}
        )

    @property
    def discriminator_update(self) -> int:
        """Return the number of the discriminator update at hand, counted from 0."""
        return self.clock.step * self.n_critic + self.turn

    def discriminator_loss(self, batch: LatentBatch) -> Terms:
        """Return the adversarial term, those of the game and those of regularizers."""
        due = self.due(self.discriminator_update)
        with torch.no_grad():
            fake = self.generator(batch.z, batch.labels).to(batch.real.dtype)
        real, fake = due.attach(self.augment.substitute_reals(batch.real, fake), fake)
        real_logits, h_real = self.discriminate(real, batch.labels)
        fake_logits, h_fake = self.discriminate(fake, batch.labels)
        self.observe(real_logits.detach(), fake_logits.detach())
        adversarial = self.loss.discriminator(real_logits, fake_logits)
        out = DiscriminatorOutputs(batch, real, fake, real_logits, fake_logits, h_real, h_fake)
        penalties = due.penalties(out, self)
        return {"adversarial": adversarial, **self.discriminator_terms(out), **penalties}

    def generator_loss(self, batch: LatentBatch) -> Terms:
        """Return the adversarial term, those of the game and those of regularizers."""
        due = self.due(self.clock.step)
        fake = self.generator(batch.z, batch.labels)
        fake_logits, h_fake = self.discriminate_fakes(fake, batch)
        real_logits = self.real_logits(batch) if self.loss.relativistic else None
        selected = due.select(fake_logits, self.clock.images)
        adversarial = self.loss.generator(selected, real_logits)
        out = GeneratorOutputs(batch, fake, fake_logits, h_fake)
        penalties = due.generator_penalties(out, self)
        return {"adversarial": adversarial, **self.generator_terms(out), **penalties}

    @torch.no_grad()
    def real_logits(self, batch: LatentBatch) -> Tensor:
        """Return the logits of the real images, without a graph."""
        logits, _ = self.discriminate(batch.real, batch.labels)
        return logits

    def discriminate_fakes(self, fake: Tensor, batch: LatentBatch) -> tuple[Tensor, Tensor]:
        """Return the logits and features h that the generator's loss is computed from."""
        return self.discriminate(fake, batch.labels)

    def discriminator_terms(self, out: DiscriminatorOutputs) -> Terms:
        """Return further terms of the discriminator's loss: none in the plain game."""
        return {}

    def generator_terms(self, out: GeneratorOutputs) -> Terms:
        """Return further terms of the generator's loss: none in the plain game."""
        return {}

    def observe(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Let the augmentation observe the logits of an update, and log their means."""
        self.augment.observe(real_logits)
        self.readings |= {"logits/real": real_logits.mean(), "logits/fake": fake_logits.mean()}

    def after_discriminator_update(self) -> None:
        """Adapt the augmentation; project the weights, if a regularizer that is due does so."""
        self.augment.adapt()
        self.readings |= self.augment.readings()
        self.due(self.discriminator_update).project(self.discriminator)
