"""Relativistic losses: logits of real and fake images are compared."""

from torch import Tensor
from torch.nn.functional import softplus

from gan import processes
from gan.errors import InputError
from gan.losses.base import AdversarialLoss


def _difference(logits: Tensor, others: Tensor) -> Tensor:
    """Return the difference of paired logits."""
    if logits.shape != others.shape:
        raise InputError(
            f"loss=rpgan compares images in pairs, but the logits have shapes "
            f"{tuple(logits.shape)} and {tuple(others.shape)}: give as many fake as real images"
        )
    return logits - others


class RelativisticPairing(AdversarialLoss):
    """Each real image is paired with one fake (Jolicoeur-Martineau, 2019; Huang et al., 2024).

    With zero-centred gradient penalties on real and fake images (R1 and R2), training converges
    locally.
    """

    relativistic = True
    paired = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E softplus(-(D(x) - D(G(z))))."""
        return softplus(_difference(fake_logits, real_logits)).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return E softplus(-(D(G(z)) - D(x)))."""
        if real_logits is None:
            raise ValueError("a relativistic generator loss needs the logits of real images")
        return softplus(_difference(real_logits, fake_logits)).mean()


class RelativisticAverage(AdversarialLoss):
    """Each logit is compared with the mean logit of the other kind (RaSGAN).

    Jolicoeur-Martineau, 2019. The means are over the batch of all devices (of a part of it where
    ``accumulate`` cuts it).
    """

    relativistic = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E softplus(-(D(x) - E D(G(z)))) + E softplus(D(G(z)) - E D(x))."""
        real, fake = processes.mean(real_logits.mean()), processes.mean(fake_logits.mean())
        return softplus(fake - real_logits).mean() + softplus(fake_logits - real).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the discriminator's loss with real and fake exchanged."""
        if real_logits is None:
            raise ValueError("a relativistic generator loss needs the logits of real images")
        return self.discriminator(fake_logits, real_logits)
