"""The game with an unrolled discriminator (Metz et al., 2017)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from gan.algorithms.gan import GAN
from gan.batch import LatentBatch
from gan.errors import InputError
from gan.layers.precision import at_least_float32
from gan.networks.base import Discriminator
from gan.optimizers import DifferentiableUpdates

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

    The further updates (Metz et al., 2017, section 2.2) are of one batch, on a device's share. They
    are those of D's optimizer from its present state, as in the authors' code, or of gradient
    descent, as in the paper: theta_D^{k+1} = theta_D^k - eta d L_D / d theta_D. Regularizers and
    ``clip_norm`` take no part in them. D itself keeps its weights, and its optimizer its state.

    Args:
        unroll: K, at most 100; 0 is the plain game. Memory grows with it.
        unroll_lr: eta, positive, of gradient descent; ``None`` for updates of D's optimizer.
        ingredients: see :class:`GAN`.

    Raises:
        InputError: if K or eta is out of range, or images are packed.
    """

    def __init__(
        self, *args: Any, unroll: int = 5, unroll_lr: float | None = None, **ingredients: Any
    ) -> None:
        super().__init__(*args, **ingredients)
        if not 0 <= unroll <= _MOST:
            raise InputError(f"model.unroll={unroll}: give a number from 0 to {_MOST}")
        if unroll_lr is not None and unroll_lr <= 0:
            raise InputError(f"model.unroll_lr={unroll_lr}: give a positive number or null")
        if self.pack > 1:
            raise InputError(
                f"pack={self.pack}: the unrolled game has one logit an image: set pack=1"
            )
        self.unroll, self.unroll_lr = unroll, unroll_lr

    def configure_optimizers(self) -> list[Optimizer]:
        """Return the optimizers of generator and discriminator.

        Raises:
            InputError: if an optimizer refuses its settings, or D's cannot be unrolled.
        """
        optimizers = super().configure_optimizers()
        if self.unroll and self.unroll_lr is None:
            try:
                DifferentiableUpdates(optimizers[1], {})
            except ValueError as error:
                raise InputError(
                    f"optimizer.discriminator: {error}, which the unrolled game needs: choose "
                    "optimizer=adam, or gradient descent by model.unroll_lr"
                ) from error
        return optimizers

    def discriminate_fakes(self, fake: Tensor, batch: LatentBatch) -> tuple[Tensor, Tensor]:
        """Return the logits and features h of D after K further updates."""
        network = _LogitsAndFeatures(self.discriminator)
        fixed = {id(w) for layer in self.frozen_layers for w in layer.parameters()}
        moving = {n: w for n, w in network.named_parameters() if id(w) not in fixed}
        with torch.compiler.set_stance("force_eager"):  # D's gradient is differentiated
            weights = self._unrolled_weights(network, moving, batch, fake)
            logits, h = functional_call(network, weights, (self.augment(fake), batch.labels))
        return at_least_float32(logits), h

    def _unrolled_weights(
        self,
        network: _LogitsAndFeatures,
        moving: Mapping[str, Tensor],
        batch: LatentBatch,
        fake: Tensor,
    ) -> dict[str, Tensor]:
        """Return D's weights after K further updates, differentiable by the fakes."""
        weights = {n: w.detach().requires_grad_() for n, w in moving.items()}
        if not self.unroll:
            return weights
        update = DifferentiableUpdates(self._optimizer_to_unroll(moving), moving)
        for _ in range(self.unroll):
            weights = update(weights, self._gradients(network, weights, batch, fake))
        return weights

    def _optimizer_to_unroll(self, moving: Mapping[str, Tensor]) -> Optimizer:
        """Return D's optimizer, or gradient descent of the rate eta."""
        if self.unroll_lr is None:
            return self.trained_optimizer(self.players[1]).optimizer
        return torch.optim.SGD(moving.values(), lr=self.unroll_lr)

    def _gradients(
        self,
        network: _LogitsAndFeatures,
        weights: dict[str, Tensor],
        batch: LatentBatch,
        fake: Tensor,
    ) -> dict[str, Tensor | None]:
        """Return the gradient of D's loss by its weights, differentiable by these and the fakes."""
        real_logits, fake_logits = (
            functional_call(network, weights, (self.augment(images), batch.labels))[0]
            for images in (self.augment.substitute_reals(batch.real, fake), fake)
        )
        loss = self.loss.discriminator(real_logits, fake_logits)
        gradients = torch.autograd.grad(
            loss, list(weights.values()), create_graph=True, allow_unused=True
        )
        return dict(zip(weights, gradients, strict=True))
