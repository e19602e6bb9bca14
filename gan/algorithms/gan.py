"""The game of the first paper: real or fake (Goodfellow et al., 2014)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.algorithms.two_player import Batch, Images, Terms, TwoPlayerGame
from gan.augment.base import Augmentation
from gan.errors import InputError
from gan.losses.base import AdversarialLoss
from gan.networks.base import Discriminator, Generator
from gan.regularizers.base import Regularizer, Verdict

_SAMPLE_BATCH = 100  # images generated at once


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put ``network`` into evaluation mode for a while, without gradients."""
    training = network.training
    try:
        with torch.no_grad():
            network.eval()
            yield
    finally:
        network.train(training)


class GAN(TwoPlayerGame):
    """D tells real images from generated ones, G deceives it, both told the label if there is one.

    Args:
        generator: latents to images.
        discriminator: images to logits.
        loss: the adversarial loss.
        regularizers: terms of the discriminator's loss, by log name.
        augment: what both players' images pass through before the discriminator.
        mechanics: see :class:`TwoPlayerGame`.

    Raises:
        InputError: if the ingredients do not go together.
    """

    generator: Generator
    discriminator: Discriminator
    averaged: Generator

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

    def discriminator_loss(self, batch: Batch) -> Terms:
        """Return the adversarial term and those of the regularizers that are due."""
        with torch.no_grad():
            fake = self.generator(batch.z, batch.labels).to(batch.real.dtype)

        def critic(images: Tensor) -> Tensor:
            logits: Tensor = self.discriminator(self.augment(images), batch.labels)
            return logits

        due = self._due()
        real = batch.real.requires_grad_(any(r.needs_real_gradient for r in due.values()))
        fake = fake.requires_grad_(any(r.needs_fake_gradient for r in due.values()))
        verdict = Verdict(critic, real, fake, critic(real), critic(fake))
        self.augment.observe(verdict.real_logits.detach())
        self.readings["logits/real"] = verdict.real_logits.detach().mean()
        self.readings["logits/fake"] = verdict.fake_logits.detach().mean()
        adversarial = self.loss.discriminator(verdict.real_logits, verdict.fake_logits)
        penalties = {name: r.every * r.penalty(verdict) for name, r in due.items()}
        return {"adversarial": adversarial, **penalties}

    def after_discriminator(self) -> None:
        """Project the discriminator's weights where a regularizer asks for it."""
        for regularizer in self._due().values():
            regularizer.project(self.discriminator)

    def generator_loss(self, batch: Batch) -> Terms:
        """Return the adversarial term."""
        fake = self.generator(batch.z, batch.labels)
        fake_logits = self.discriminator(self.augment(fake), batch.labels)
        real_logits = None
        if self.loss.relativistic:
            with torch.no_grad():
                real_logits = self.discriminator(self.augment(batch.real), batch.labels)
        return {"adversarial": self.loss.generator(fake_logits, real_logits)}

    def generate(self, seed: int, indices: range, labels: Tensor | None = None) -> Tensor:
        """Return image k of ``seed`` for each k of ``indices``, on the game's device.

        Args:
            seed: of the latents; image k depends on (seed, k) and its label alone.
            indices: which images.
            labels: (len(indices),) of int64; ``None`` takes the classes in turn, k mod num_classes.

        Returns:
            Images (len(indices), C, H, W) in [-1, 1] from the averaged weights.
        """
        if self.generator.num_classes and labels is None:
            labels = torch.tensor(indices) % self.generator.num_classes
        z = self.prior.sample_each(seed, indices).to(self.device)
        y = None if labels is None else labels.to(self.device)
        with evaluating(self.averaged):
            images: Tensor = self.averaged(z, y)
        return images

    def sample(self, n: int, seed: int = 0, labels: Sequence[int] | Tensor | None = None) -> Tensor:
        """Return ``n`` images (n, C, H, W) in [-1, 1], float32 on the CPU.

        Args:
            n: at least 1.
            seed: image k is the same for the same seed, whatever ``n``.
            labels: one for each image, or one for all; ``None`` takes the classes in turn.

        Raises:
            InputError: on an impossible number or label.
        """
        if seed < 0:
            raise InputError(f"seed={seed}: give a number from 0")
        y = self._labels(n, labels)
        batches = [range(k, min(k + _SAMPLE_BATCH, n)) for k in range(0, n, _SAMPLE_BATCH)]
        parts = [
            self.generate(seed, r, None if y is None else y[r.start : r.stop]).float().cpu()
            for r in batches
        ]
        return torch.cat(parts)

    def _labels(self, n: int, labels: Sequence[int] | Tensor | None) -> Tensor | None:
        """Return labels as (n,) or refuse them."""
        if n < 1:
            raise InputError(f"n={n}: ask for at least one image")
        if labels is None:
            return None
        classes = self.generator.num_classes
        if classes == 0:
            raise InputError("labels: the model is unconditional; leave labels out")
        y = torch.as_tensor(labels, dtype=torch.int64).flatten()
        if len(y) not in (1, n):
            raise InputError(f"labels: {len(y)} given for n={n} images: give one, or one each")
        if y.min() < 0 or y.max() >= classes:
            raise InputError(f"labels: they must lie in 0..{classes - 1}")
        return y.expand(n)

    def validation_step(self, batch: Images, batch_idx: int) -> dict[str, Tensor]:
        """Return the real images and as many fakes with their labels.

        Batch i of B images holds fakes i*B to (i+1)*B - 1 of the game's seed.
        """
        real, labels = batch
        indices = range(batch_idx * len(real), (batch_idx + 1) * len(real))
        return {"real": real, "fake": self.generate(self.seed, indices, labels)}
