"""Losses whose discriminator is a logistic classifier of real and fake images."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.errors import InputError
from gan.losses.base import AdversarialLoss


class Minimax(AdversarialLoss):
    """The saturating loss: min over G of E log(1 - D(G(z))) (Goodfellow et al., 2014, eq. 1).

    With one-sided label smoothing (Salimans et al., 2016, section 3.4) the target of D for real
    images is 1 - label_smoothing, so that the best D is (1 - label_smoothing) p / (p + p_G) of the
    densities p of the data and p_G of the fakes. The target for fakes stays 0.

    Args:
        label_smoothing: from 0 to below 1; the authors suggest a target of 0.9, that is 0.1.

    Raises:
        InputError: if ``label_smoothing`` is out of range.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        if not 0 <= label_smoothing < 1:
            raise InputError(
                f"loss.label_smoothing={label_smoothing}: give a number from 0 to below 1"
            )
        self.label_smoothing = label_smoothing

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return -E [(1 - s) log D(x) + s log(1 - D(x))] - E log(1 - D(G(z))), s the smoothing."""
        real = softplus(-real_logits)
        if self.label_smoothing:
            real = real + self.label_smoothing * real_logits
        return real.mean() + softplus(fake_logits).mean()

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
        """Return the discriminator's loss with real and fake exchanged, without smoothing."""
        return softplus(-fake_logits).mean() + softplus(real_logits).mean()


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
