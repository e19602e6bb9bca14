"""The game of the first paper: real or fake (Goodfellow et al., 2014)."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import Batch, Terms, full_precision
from gan.augment.base import Augmentation
from gan.conditioning.auxiliary import ClassHead
from gan.errors import InputError
from gan.layers.equalised import EqualisedConv2d, EqualisedLinear
from gan.layers.precision import at_least_float32
from gan.losses.base import AdversarialLoss
from gan.networks.base import Discriminator, Generator
from gan.regularizers.base import Attempt, Regularizer, Verdict


class GAN(LatentGame):
    """D tells real images from generated ones, G deceives it, both told the label if there is one.

    Args:
        generator: latents to images.
        discriminator: images to logits.
        loss: the adversarial loss.
        regularizers: terms of the players' losses, by log name.
        augment: what both players' images pass through before the discriminator.
        pack: images that the discriminator judges together, one upon the other's channels (PacGAN;
            Lin et al., 2018); its ``channels`` are as many times those of the images.
        mechanics: see :class:`LatentGame`.

    Attributes:
        classifies: the game teaches a classifier on the discriminator, if there is one.

    Raises:
        InputError: if the ingredients do not go together.
    """

    discriminator: Discriminator
    classifies: bool = False

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augment: Augmentation | None = None,
        pack: int = 1,
        **mechanics: Any,
    ) -> None:
        super().__init__(generator, discriminator, **mechanics)
        self.loss = loss
        self.regularizers = dict(regularizers or {})
        self.regularizer_state = nn.ModuleDict(self.regularizers)
        self.augment = augment or Augmentation()
        self.pack = pack
        self._refuse_illegal()

    def _refuse_illegal(self) -> None:
        """Refuse ingredients that do not go together."""
        if self.generator.num_classes != self.discriminator.num_classes:
            raise InputError(
                f"model: the generator knows {self.generator.num_classes} labels and the "
                f"discriminator {self.discriminator.num_classes}: give both the same conditioning"
            )
        if self.loss.logits != self.discriminator.logits:
            raise InputError(
                f"loss: it reads {self.loss.logits} logits an image, but the discriminator gives "
                f"{self.discriminator.logits}: loss=multi_hinge and conditioning=multi_hinge need "
                "each other"
            )
        if isinstance(self.discriminator.head, ClassHead) and not self.classifies:
            raise InputError(
                "conditioning: the discriminator has a classifier that this game does not teach: "
                "choose model=acgan, contragan or reacgan, or conditioning=projection"
            )
        self._refuse_packing()
        for name, regularizer in self.regularizers.items():
            self._refuse_regularizer(name, regularizer)

    def _refuse_packing(self) -> None:
        """Refuse packs of labelled images, whose labels may differ."""
        if self.pack < 1:
            raise InputError(f"pack={self.pack}: give a number from 1")
        if self.pack > 1 and self.generator.num_classes:
            raise InputError(
                f"pack={self.pack}: images judged together may differ in their labels: set pack=1 "
                "or conditioning=none"
            )

    def _refuse_regularizer(self, name: str, regularizer: Regularizer) -> None:
        """Refuse one that needs what the discriminator or the loss does not give."""
        normalised = any(isinstance(m, _BatchNorm) for m in self.discriminator.modules())
        alone = f"regularizers.{name} needs a logit that depends on its own image alone, but "
        if regularizer.per_sample and normalised:
            raise InputError(
                f"{alone}the discriminator has batch normalisation: set critic_norm=none, instance "
                "or layer"
            )
        if regularizer.per_sample and self.discriminator.minibatch.compares:
            raise InputError(f"{alone}minibatch compares it with others: set minibatch=none")
        if regularizer.per_sample and self.pack > 1:
            raise InputError(f"{alone}pack={self.pack} judges several together: set pack=1")
        self._refuse_meddling(name, regularizer)

    def _refuse_meddling(self, name: str, regularizer: Regularizer) -> None:
        """Refuse one that changes weights or logits which cannot be changed."""
        if regularizer.clips and any(
            isinstance(m, EqualisedLinear | EqualisedConv2d) for m in self.discriminator.modules()
        ):
            raise InputError(
                f"regularizers.{name} bounds weights near 0, but the discriminator has equalised "
                "weights of size 1: choose loss=wgan_gp"
            )
        if regularizer.selective and self.loss.paired:
            raise InputError(
                f"regularizers.{name} leaves fakes out, but the loss judges images in pairs: "
                f"choose loss=rasgan or another, or leave {name} out"
            )

    def _due(self, turn: int) -> dict[str, Regularizer]:
        """Return the regularizers whose turn it is, the ``turn``-th of their player."""
        return {k: r for k, r in self.regularizers.items() if turn % r.every == 0}

    def _critic_turn(self) -> int:
        """Return how many turns the discriminator has had before this one."""
        return self.clock.step * self.n_critic + self.turn

    def features(self, images: Tensor) -> Tensor:
        """Return the discriminator's features of images (B, C, H, W), augmented and packed."""
        images = self.augment(images)
        if self.pack > 1:
            if len(images) % self.pack:
                raise InputError(
                    f"pack={self.pack} does not divide the {len(images)} images of a device: "
                    "give a batch_size that it divides"
                )
            images = images.reshape(-1, self.pack * images.shape[1], *images.shape[2:])
        return self.discriminator.features(images)

    def judge(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return logits of images, in 32 bits or more, and the features behind them."""
        h = self.features(images)
        return at_least_float32(self.discriminator.score(h, labels)), h

    def _generating(self, labels: Tensor | None, context: Any) -> Callable[[Tensor], Tensor]:
        """Return the function from latents to images under ``labels``."""

        def generate(z: Tensor) -> Tensor:
            with context():
                images: Tensor = self.generator(z, labels)
            return images

        return generate

    def _verdict(self, batch: Batch, due: Iterable[Regularizer]) -> Verdict:
        """Return what the discriminator says, in full precision where a penalty differentiates."""
        generate = self._generating(batch.labels, torch.no_grad)
        fake = generate(batch.z).to(batch.real.dtype)

        def judged(images: Tensor, attached: bool) -> tuple[Tensor, Tensor, Tensor]:
            with full_precision(images.device) if attached else nullcontext():
                images = images.detach().requires_grad_(attached)
                return images, *self.judge(images, batch.labels)

        real = self.augment.disguise(batch.real, fake)
        real, real_logits, h_real = judged(real, any(r.needs_real_gradient for r in due))
        fake, fake_logits, h_fake = judged(fake, any(r.needs_fake_gradient for r in due))

        def critic(images: Tensor) -> Tensor:
            return self.judge(images, batch.labels)[0]

        logits, h = (real_logits, fake_logits), (h_real, h_fake)
        return Verdict(critic, real, fake, *logits, *h, batch.epsilon, batch.z, generate)

    def _penalties(
        self, due: Mapping[str, Regularizer], ask: Callable[[Regularizer], Tensor | None]
    ) -> Terms:
        """Return what regularizers say when asked, in full precision, worth the turns they skip."""
        with full_precision(self.device):
            said = {
                name: (regularizer.every, ask(regularizer)) for name, regularizer in due.items()
            }
        return {name: every * term for name, (every, term) in said.items() if term is not None}

    def discriminator_loss(self, batch: Batch) -> Terms:
        """Return the adversarial term, those of further tasks and of regularizers that are due."""
        due = self._due(self._critic_turn())
        verdict = self._verdict(batch, due.values())
        self.augment.observe(verdict.real_logits.detach())
        self.readings |= self.augment.readings()
        self.readings["logits/real"] = verdict.real_logits.detach().mean()
        self.readings["logits/fake"] = verdict.fake_logits.detach().mean()
        adversarial = self.loss.discriminator(verdict.real_logits, verdict.fake_logits)
        penalties = self._penalties(due, lambda regularizer: regularizer.penalty(verdict))
        return {"adversarial": adversarial, **self.discriminator_tasks(verdict, batch), **penalties}

    def discriminator_tasks(self, verdict: Verdict, batch: Batch) -> Terms:
        """Return what the discriminator is asked beside real or fake: nothing."""
        return {}

    def generator_tasks(self, attempt: Attempt, batch: Batch) -> Terms:
        """Return what the generator is asked beside deceit: nothing."""
        return {}

    def after_discriminator(self) -> None:
        """Project the discriminator's weights where a regularizer asks for it."""
        for regularizer in self._due(self._critic_turn()).values():
            regularizer.project(self.discriminator)

    def respond(self, fake: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the logits and features by which the generator learns."""
        return self.judge(fake, batch.labels)

    def _attempt(self, batch: Batch) -> Attempt:
        """Return what the generator makes of a batch and what the discriminator says of it."""
        generate = self._generating(batch.labels, nullcontext)
        fake = generate(batch.z)
        fake_logits, h = self.respond(fake, batch)

        def real_features() -> Tensor:
            with torch.no_grad():
                return self.features(batch.real)

        made, said = (generate, batch.z, fake), (fake_logits, h, real_features)
        return Attempt(self.generator, *made, *said, batch.labels, self.generator.trace)

    def generator_loss(self, batch: Batch) -> Terms:
        """Return the adversarial term, those of further tasks and of regularizers that are due."""
        attempt, due = self._attempt(batch), self._due(self.clock.step)
        real_logits = None
        if self.loss.relativistic:
            with torch.no_grad():
                real_logits, _ = self.judge(batch.real, batch.labels)
        fake_logits = attempt.fake_logits
        for regularizer in due.values():
            fake_logits = regularizer.select(fake_logits, self.clock.images)
        adversarial = self.loss.generator(fake_logits, real_logits)
        penalties = self._penalties(due, lambda regularizer: regularizer.generator_penalty(attempt))
        return {"adversarial": adversarial, **self.generator_tasks(attempt, batch), **penalties}
