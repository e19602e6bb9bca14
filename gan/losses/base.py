"""The interface of adversarial losses."""

from abc import ABC, abstractmethod

from torch import Tensor


class AdversarialLoss(ABC):
    """The losses of both players as functions of logits.

    Logits have any shape with the batch as first dimension. Each method returns a scalar, the mean.

    Attributes:
        relativistic: whether the generator loss needs the logits of real images.
        paired: whether logit i of one kind is compared with logit i of the other kind.
        logits: number of logits per image that the discriminator must return: 1, or 2 margins.
        adversarial: whether the losses depend on the logits.
    """

    relativistic: bool = False
    paired: bool = False
    logits: int = 1
    adversarial: bool = True

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's loss."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's loss; ``real_logits`` is used only if ``relativistic``."""

    def joint(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """Return the loss of an opponent that makes fakes and takes part in reals, as in BiGAN.

        By default the discriminator's loss with real and fake exchanged (Donahue et al., 2017,
        section 3.4).
        """
        return self.discriminator(fake_logits, real_logits)
