"""The Wasserstein loss."""

from torch import Tensor

from gan.losses.base import AdversarialLoss


class Wasserstein(AdversarialLoss):
    """The dual form of the Wasserstein-1 distance (Arjovsky et al., 2017, eq. 3).

    The critic must be Lipschitz: use weight clipping (algorithm 1) or a gradient penalty
    (Gulrajani et al., 2017).
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E D(G(z)) - E D(x)."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -E D(G(z))."""
        return -fake_logits.mean()
