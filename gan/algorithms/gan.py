"""The game of the first paper: real or fake (Goodfellow et al., 2014)."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import Batch, Terms, full_precision
from gan.augment.base import Augmentation
from gan.errors import InputError
from gan.losses.base import AdversarialLoss
from gan.networks.base import Discriminator, Generator
from gan.regularizers.base import Regularizer, Verdict


class GAN(LatentGame):
    """D tells real images from generated ones, G deceives it, both told the label if there is one.

    Args:
        generator: latents to images.
        discriminator: images to logits.
        loss: the adversarial loss.
        regularizers: terms of the discriminator's loss, by log name.
        augment: what both players' images pass through before the discriminator.
        mechanics: see :class:`LatentGame`.

    Raises:
        InputError: if the ingredients do not go together.
    """

    discriminator: Discriminator

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augment: Augmentation | None = None,
        **mechanics: Any,
    ) -> None:
        super().__init__(generator, discriminator, **mechanics)
        self.loss = loss
        self.regularizers = dict(regularizers or {})
        self.regularizer_state = nn.ModuleDict(self.regularizers)
        self.augment = augment or Augmentation()
        self._refuse_illegal()

    def _refuse_illegal(self) -> None:
        """Refuse ingredients that do not go together."""
        if self.generator.num_classes != self.discriminator.num_classes:
            raise InputError(
                f"model: the generator knows {self.generator.num_classes} labels and the "
                f"discriminator {self.discriminator.num_classes}: give both the same conditioning"
            )
        normalised = any(isinstance(m, _BatchNorm) for m in self.discriminator.modules())
        for name, regularizer in self.regularizers.items():
            if normalised and regularizer.per_sample:
                raise InputError(
                    f"regularizers.{name} needs a logit that depends on its own image alone, but "
                    "the discriminator has batch normalisation: set critic_norm=none, instance "
                    "or layer"
                )

    def _due(self) -> dict[str, Regularizer]:
        """Return the regularizers whose turn it is."""
        turn = self.clock.step * self.n_critic + self.turn
        return {k: r for k, r in self.regularizers.items() if turn % r.every == 0}

    def _judge(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return logits (B,) of augmented images, in 32 bits or more, and their features."""
        h = self.discriminator.features(self.augment(images))
        logits = self.discriminator.score(h, labels)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)), h

    def _verdict(self, batch: Batch, due: Iterable[Regularizer]) -> Verdict:
        """Return what the discriminator says, in full precision where a penalty differentiates."""
        with torch.no_grad():
            fake = self.generator(batch.z, batch.labels).to(batch.real.dtype)

        def judged(images: Tensor, attached: bool) -> tuple[Tensor, Tensor, Tensor]:
            with full_precision(images.device) if attached else nullcontext():
                images = images.detach().requires_grad_(attached)
                return images, *self._judge(images, batch.labels)

        real, real_logits, h_real = judged(batch.real, any(r.needs_real_gradient for r in due))
        fake, fake_logits, h_fake = judged(fake, any(r.needs_fake_gradient for r in due))

        def critic(images: Tensor) -> Tensor:
            return self._judge(images, batch.labels)[0]

        logits, features = (real_logits, fake_logits), (h_real, h_fake)
        return Verdict(critic, real, fake, *logits, *features, batch.epsilon)

    def discriminator_loss(self, batch: Batch) -> Terms:
        """Return the adversarial term, those of further tasks and of regularizers that are due."""
        due = self._due()
        verdict = self._verdict(batch, due.values())
        self.augment.observe(verdict.real_logits.detach())
        self.readings["logits/real"] = verdict.real_logits.detach().mean()
        self.readings["logits/fake"] = verdict.fake_logits.detach().mean()
        adversarial = self.loss.discriminator(verdict.real_logits, verdict.fake_logits)
        with full_precision(batch.real.device):
            penalties = {name: r.every * r.penalty(verdict) for name, r in due.items()}
        return {"adversarial": adversarial, **self.discriminator_tasks(verdict, batch), **penalties}

    def discriminator_tasks(self, verdict: Verdict, batch: Batch) -> Terms:
        """Return what the discriminator is asked beside real or fake: nothing."""
        return {}

    def generator_tasks(self, h: Tensor, batch: Batch) -> Terms:
        """Return what the generator is asked beside deceit, from its fakes' features: nothing."""
        return {}

    def after_discriminator(self) -> None:
        """Project the discriminator's weights where a regularizer asks for it."""
        for regularizer in self._due().values():
            regularizer.project(self.discriminator)

    def generator_loss(self, batch: Batch) -> Terms:
        """Return the adversarial term and those of further tasks."""
        fake = self.generator(batch.z, batch.labels)
        fake_logits, h = self._judge(fake, batch.labels)
        real_logits = None
        if self.loss.relativistic:
            with torch.no_grad():
                real_logits, _ = self._judge(batch.real, batch.labels)
        adversarial = self.loss.generator(fake_logits, real_logits)
        return {"adversarial": adversarial, **self.generator_tasks(h, batch)}
