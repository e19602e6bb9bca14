"""No adversarial loss."""

from torch import Tensor

from gan.losses.base import AdversarialLoss


class NoLoss(AdversarialLoss):
    """Zero for both players: a generator with other terms is trained on these alone."""

    adversarial = False

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return 0."""
        return 0 * (real_logits.sum() + fake_logits.sum())

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return 0."""
        return 0 * fake_logits.sum()
