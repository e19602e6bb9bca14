"""The relativistic pairing loss."""

from torch import Tensor
from torch.nn.functional import softplus

from gan.losses.base import AdversarialLoss


class RelativisticPairing(AdversarialLoss):
    """Each real image is judged against one fake (Jolicoeur-Martineau, 2019; Huang et al., 2024).

    It converges locally with zero-centred penalties on reals and fakes (R1 and R2).
    """

    relativistic = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E softplus(-(D(x) - D(G(z))))."""
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return E softplus(-(D(G(z)) - D(x)))."""
        if real_logits is None:
            raise ValueError("a relativistic generator loss needs the logits of real images")
        return softplus(real_logits - fake_logits).mean()
