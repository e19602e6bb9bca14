"""Losses of a user's own that do not derive from the interface."""

from torch import Tensor

from gan.losses.base import AdversarialLoss


class OwnLoss(AdversarialLoss):
    """Any object with the two methods of a loss; what it does not set has the default.

    Args:
        loss: with ``discriminator(real_logits, fake_logits)`` and ``generator(fake_logits,
            real_logits=None)``, and perhaps the attributes of :class:`AdversarialLoss`.
    """

    def __init__(self, loss: AdversarialLoss) -> None:
        self.loss = loss
        for name in ("relativistic", "paired", "logits", "adversarial"):
            setattr(self, name, getattr(loss, name, getattr(AdversarialLoss, name)))

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's loss."""
        return self.loss.discriminator(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's loss."""
        return self.loss.generator(fake_logits, real_logits)


def with_defaults(loss: AdversarialLoss) -> AdversarialLoss:
    """Return ``loss``, with the default of every attribute of the interface that it lacks."""
    return loss if isinstance(loss, AdversarialLoss) else OwnLoss(loss)
