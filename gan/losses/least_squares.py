"""The least squares loss."""

from torch import Tensor

from gan.losses.base import AdversarialLoss


class LeastSquares(AdversarialLoss):
    """Squared differences of logits and targets (Mao et al., 2017, eq. 9 with a=0, b=c=1)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2."""
        return 0.5 * ((real_logits - 1).square().mean() + fake_logits.square().mean())

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return E (D(G(z)) - 1)^2 / 2."""
        return 0.5 * (fake_logits - 1).square().mean()
