"""Consistency of the discriminator on real images."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import mse_loss

from gan.regularizers.base import DiscriminatorOutputs, Networks, Regularizer


class ConsistencyRegularization(Regularizer):
    """weight * E (D(x) - D(T(x)))^2 on real images (Zhang et al., 2020, algorithm 1).

    D is the logit, augmentation included; gradients flow through both logits. Batch normalisation
    and packing are allowed: D gets x and T(x) as two whole batches, and the term needs no logit
    that depends on one image alone.

    Args:
        transform: T, images -> images that show the same; random.
        weight: lambda.
        every: as in :class:`Regularizer`.
    """

    transforms_images = True

    def __init__(
        self, transform: Callable[[Tensor], Tensor], weight: float = 10.0, every: int = 1
    ) -> None:
        super().__init__(every)
        self.transform, self.weight = transform, weight

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Return the term, with the logits of T(x)."""
        logits, _ = networks.discriminate(self.transform(out.real.detach()), out.batch.labels)
        return self.weight * mse_loss(logits, out.real_logits)
