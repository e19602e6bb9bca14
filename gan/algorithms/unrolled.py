"""The game with an unrolled discriminator (Metz et al., 2017)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gan.algorithms.gan import GAN
from gan.batch import LatentBatch
from gan.errors import InputError
from gan.layers.precision import at_least_float32
from gan.networks.base import Discriminator

_MOST = 100  # updates of D in one graph


class _LogitsAndFeatures(nn.Module):
    """A discriminator that returns logits and features h, for functional calls."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        h = self.discriminator.features(images)
        return self.discriminator.score(h, labels), h


class UnrolledGAN(GAN):
    """G's loss has the logits of D after K further updates, and differentiates through these.

    theta_D^{k+1} = theta_D^k - eta d L_D / d theta_D on one batch (Metz et al., 2017, section 2.2),
    by gradient descent on a device's share. D itself keeps its weights.

    Args:
        unroll: K, at most 100; 0 is the plain game. Memory grows with it.
        unroll_lr: eta, positive.
        ingredients: see :class:`GAN`.

    Raises:
        InputError: if K or eta is out of range, or images are packed.
    """

    def __init__(
        self, *args: Any, unroll: int = 5, unroll_lr: float = 0.1, **ingredients: Any
    ) -> None:
        super().__init__(*args, **ingredients)
        if not 0 <= unroll <= _MOST:
            raise InputError(f"model.unroll={unroll}: give a number from 0 to {_MOST}")
        if unroll_lr <= 0:
            raise InputError(f"model.unroll_lr={unroll_lr}: give a positive number")
        if self.pack > 1:
            raise InputError(
                f"pack={self.pack}: the unrolled game has one logit an image: set pack=1"
            )
        self.unroll, self.unroll_lr = unroll, unroll_lr

    def discriminate_fakes(self, fake: Tensor, batch: LatentBatch) -> tuple[Tensor, Tensor]:
        """Return the logits and features h of D after K further updates."""
        network = _LogitsAndFeatures(self.discriminator)
        fixed = {id(w) for layer in self.frozen_layers for w in layer.parameters()}
        moving = {n: w for n, w in network.named_parameters() if id(w) not in fixed}
        weights = {n: w.detach().requires_grad_() for n, w in moving.items()}
        with torch.compiler.set_stance("force_eager"):  # D's gradient is differentiated
            for _ in range(self.unroll):
                weights = self._update_weights(network, weights, batch, fake)
            logits, h = functional_call(network, weights, (self.augment(fake), batch.labels))
        return at_least_float32(logits), h

    def _update_weights(
        self,
        network: _LogitsAndFeatures,
        weights: dict[str, Tensor],
        batch: LatentBatch,
        fake: Tensor,
    ) -> dict[str, Tensor]:
        """Return D's weights after one more update, differentiable by the fakes."""
        real_logits, fake_logits = (
            functional_call(network, weights, (self.augment(images), batch.labels))[0]
            for images in (self.augment.substitute_reals(batch.real, fake), fake)
        )
        loss = self.loss.discriminator(real_logits, fake_logits)
        gradients = torch.autograd.grad(
            loss, list(weights.values()), create_graph=True, allow_unused=True
        )
        pairs = zip(weights.items(), gradients, strict=True)
        return {n: w if g is None else w - self.unroll_lr * g for (n, w), g in pairs}
