"""Losses whose discriminator is a logistic classifier of real and fake images."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.losses.base import AdversarialLoss


class Minimax(AdversarialLoss):
    """The saturating loss: min over G of E log(1 - D(G(z))) (Goodfellow et al., 2014, eq. 1)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return -E log D(x) - E log(1 - D(G(z)))."""
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return E log(1 - D(G(z)))."""
        return -softplus(fake_logits).mean()

    def joint(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """Return the negative loss of the discriminator: the game is of zero sum."""
        return -self.discriminator(real_logits, fake_logits)


class NonSaturating(Minimax):
    """The non-saturating loss: G maximises E log D(G(z)) (Goodfellow et al., 2014, section 3)."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -E log D(G(z))."""
        return softplus(-fake_logits).mean()

    def joint(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """Return the loss of the discriminator with real and fake exchanged."""
        return self.discriminator(fake_logits, real_logits)


class SquaredProbability(Minimax):
    """Cross-entropy for D, and E (D(G(z)) - 1)^2 for G, where D is a probability.

    Many tutorials use this loss. The gradient of G vanishes both at D(G(z)) = 0 and at
    D(G(z)) = 1.
    """

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return E (sigmoid(logits) - 1)^2."""
        return (torch.sigmoid(fake_logits) - 1).square().mean()

    def joint(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """Return E (sigmoid(fake) - 1)^2 + E sigmoid(real)^2."""
        fake, real = torch.sigmoid(fake_logits), torch.sigmoid(real_logits)
        return (fake - 1).square().mean() + real.square().mean()
