"""The hinge loss over classes."""

from torch import Tensor
from torch.nn.functional import relu

from gan.losses.base import AdversarialLoss


class MultiHinge(AdversarialLoss):
    """Margins of 1 between the right class, or "fake", and all others (Kavalerov et al., 2021).

    Logits are (B, 2): the margin of the image's own label, and that of "fake".
    """

    logits = 2

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E max(0, 1 - m_y(x)) + E max(0, 1 - m_fake(G(z)))."""
        return relu(1 - real_logits[:, 0]).mean() + relu(1 - fake_logits[:, 1]).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return E max(0, 1 - m_y(G(z, y)))."""
        return relu(1 - fake_logits[:, 0]).mean()
