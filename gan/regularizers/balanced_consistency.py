"""Consistency of the discriminator on real images and fakes."""

from collections.abc import Callable

from torch import Tensor

from gan.regularizers.base import DiscriminatorOutputs, Networks
from gan.regularizers.consistency import ConsistencyRegularization, distance


class BalancedConsistency(ConsistencyRegularization):
    """Consistency on reals and fakes, so that G does not imitate T (Zhao et al., 2021, alg. 1).

    weight * E (D(x) - D(T(x)))^2 + fake_weight * E (D(G(z)) - D(T(G(z))))^2 in D's loss; with
    ``zcr`` beside it, improved consistency regularization (ICR). D is as in
    :class:`~gan.regularizers.consistency.ConsistencyRegularization`.

    Args:
        transform: T, images -> images that show the same; random.
        weight: lambda_real.
        fake_weight: lambda_fake.
        every: as in :class:`Regularizer`.
    """

    def __init__(
        self,
        transform: Callable[[Tensor], Tensor],
        weight: float = 10.0,
        fake_weight: float = 10.0,
        every: int = 1,
    ) -> None:
        super().__init__(transform, weight, every)
        self.fake_weight = fake_weight

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Return the sum of the two terms, with D's outputs on T(x) and T(G(z))."""
        moved = networks.discriminate(self.transform(out.fake.detach()), out.batch.labels)
        fake_term = distance(networks, moved, (out.fake_logits, out.fake_features))
        return super().penalty(out, networks) + self.fake_weight * fake_term
