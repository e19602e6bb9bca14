"""The hinge loss over K classes and "fake"."""

from torch import Tensor
from torch.nn.functional import relu

from gan.losses.base import AdversarialLoss


class MultiHinge(AdversarialLoss):
    """Hinge loss on the margins of the label and of "fake" (Kavalerov et al., 2021).

    Logits are (B, 2): the margin of the image's label and the margin of "fake".
    """

    logits = 2

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E max(0, 1 - m_y(x)) + E max(0, 1 - m_fake(G(z)))."""
        return relu(1 - real_logits[:, 0]).mean() + relu(1 - fake_logits[:, 1]).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return E max(0, 1 - m_y(G(z, y)))."""
        return relu(1 - fake_logits[:, 0]).mean()
