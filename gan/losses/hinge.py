"""The hinge loss."""

from torch import Tensor
from torch.nn.functional import relu

from gan.losses.base import AdversarialLoss


class Hinge(AdversarialLoss):
    """Hinge loss with margin 1 for real and fake (Lim & Ye, 2017; Tran et al., 2017)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -E D(G(z))."""
        return -fake_logits.mean()

    def joint(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """Return E D(x, E(x)) - E D(G(z), z), which does not saturate."""
        return real_logits.mean() - fake_logits.mean()
