"""The interface of adversarial losses."""

from abc import ABC, abstractmethod

from torch import Tensor


class AdversarialLoss(ABC):
    """What the two players minimise, as functions of logits alone.

    Logits have any shape with the batch first; each method returns a scalar, the mean.

    Attributes:
        relativistic: the generator needs the logits of real images too.
        paired: image i of the one kind is judged against image i of the other.
        logits: how many an image the discriminator must give: 1, or 2 margins.
    """

    relativistic: bool = False
    paired: bool = False
    logits: int = 1

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's loss."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's loss; ``real_logits`` only where ``relativistic``."""
