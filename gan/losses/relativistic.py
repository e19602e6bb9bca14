"""Losses that judge real images and fakes by one another."""

from torch import Tensor
from torch.nn.functional import softplus

from gan import processes
from gan.errors import InputError
from gan.losses.base import AdversarialLoss


def _difference(logits: Tensor, others: Tensor) -> Tensor:
    """Return the difference of logits that are judged in pairs."""
    if logits.shape != others.shape:
        raise InputError(
            f"loss=rpgan judges images in pairs, but was given logits of {tuple(logits.shape)} and "
            f"{tuple(others.shape)}: give as many fakes as real images"
        )
    return logits - others


class RelativisticPairing(AdversarialLoss):
    """Each real image is judged against one fake (Jolicoeur-Martineau, 2019; Huang et al., 2024).

    It converges locally with zero-centred penalties on reals and fakes (R1 and R2).
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
    """Each image is judged against the mean of the other kind (Jolicoeur-Martineau, 2019, RaSGAN).

    The means are those of the whole batch, over all devices.
    """

    relativistic = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E softplus(-(D(x) - E D(G(z)))) + E softplus(D(G(z)) - E D(x))."""
        real, fake = processes.mean(real_logits.mean()), processes.mean(fake_logits.mean())
        return softplus(fake - real_logits).mean() + softplus(fake_logits - real).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the discriminator's loss with the two kinds exchanged."""
        if real_logits is None:
            raise ValueError("a relativistic generator loss needs the logits of real images")
        return self.discriminator(fake_logits, real_logits)
