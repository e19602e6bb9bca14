"""Consistency of the discriminator on real images."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import mse_loss

from gan.regularizers.base import Regularizer, Verdict


class ConsistencyRegularization(Regularizer):
    """weight * E (D(x) - D(T(x)))^2 on real images (Zhang et al., 2020, algorithm 1).

    D is the logit, augmentation included; both sides learn. Batch normalisation and packing are no
    obstacle: x and T(x) are judged as batches of one kind, and the term compares two logits where
    a gradient penalty would need one image's alone.

    Args:
        transform: T, images -> images that show the same; random.
        weight: lambda.
        every: as in :class:`Regularizer`.
    """

    def __init__(
        self, transform: Callable[[Tensor], Tensor], weight: float = 10.0, every: int = 1
    ) -> None:
        super().__init__(every)
        self.transform, self.weight = transform, weight

    def penalty(self, verdict: Verdict) -> Tensor:
        """Return the term; the critic is asked again at T(x)."""
        logits = verdict.critic(self.transform(verdict.real.detach()))
        return self.weight * mse_loss(logits, verdict.real_logits)
