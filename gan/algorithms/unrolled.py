"""The game in which G looks ahead (Metz et al., 2017)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Batch
from gan.errors import InputError
from gan.layers.precision import at_least_float32
from gan.networks.base import Discriminator


class _Judge(nn.Module):
    """A discriminator that says logits and features."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        h = self.discriminator.features(images)
        return self.discriminator.score(h, labels), h


class UnrolledGAN(GAN):
    """G is judged by the D of K updates later, and its gradient passes through those updates.

    theta_D^{k+1} = theta_D^k - eta d L_D / d theta_D on one batch (Metz et al., 2017, section 2.2),
    by plain gradient descent on a device's share; the D that plays on is the one before. It keeps G
    from chasing D from mode to mode.

    Args:
        unroll: K; 0 is the plain game.
        unroll_lr: eta.
        ingredients: see :class:`GAN`.

    Raises:
        InputError: on a negative K, or packs.
    """

    def __init__(
        self, *args: Any, unroll: int = 5, unroll_lr: float = 0.1, **ingredients: Any
    ) -> None:
        super().__init__(*args, **ingredients)
        if unroll < 0 or unroll_lr <= 0:
            raise InputError(
                f"model.unroll={unroll}, model.unroll_lr={unroll_lr}: give a number from 0 and a "
                "positive one"
            )
        if self.pack > 1:
            raise InputError(f"pack={self.pack}: the unrolled game judges images alone: set pack=1")
        self.unroll, self.unroll_lr = unroll, unroll_lr

    def respond(self, fake: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the logits and features of the discriminator of K updates later."""
        judge = _Judge(self.discriminator)
        weights = {n: w.detach().requires_grad_() for n, w in judge.named_parameters()}
        for _ in range(self.unroll):
            weights = self._updated(judge, weights, batch, fake)
        logits, h = functional_call(judge, weights, (self.augment(fake), batch.labels))
        return at_least_float32(logits), h

    def _updated(
        self, judge: _Judge, weights: dict[str, Tensor], batch: Batch, fake: Tensor
    ) -> dict[str, Tensor]:
        """Return the weights after one more update of D, differentiable in the fakes."""
        said = [
            functional_call(judge, weights, (self.augment(images), batch.labels))[0]
            for images in (self.augment.disguise(batch.real, fake), fake)
        ]
        loss = self.loss.discriminator(*said)
        gradients = torch.autograd.grad(
            loss, list(weights.values()), create_graph=True, allow_unused=True
        )
        pairs = zip(weights.items(), gradients, strict=True)
        return {n: w if g is None else w - self.unroll_lr * g for (n, w), g in pairs}
