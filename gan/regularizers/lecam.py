"""LeCam regularization."""

import torch
from torch import Tensor

from gan import processes
from gan.regularizers.base import DiscriminatorOutputs, Networks, Regularizer


class LeCam(Regularizer):
    """Keep logits near the average of the other side's (Tseng et al., 2021, eq. 3).

    weight * (E (D(x) - a_F)^2 + E (D(G(z)) - a_R)^2), with anchors a_R and a_F the exponential
    moving averages of the mean logits on reals and fakes, over all devices. The authors' code keeps
    only the parts where reals lie above a_F and fakes below a_R; this is the paper's equation.

    Args:
        weight: lambda.
        decay: of the anchors.
        start: uses in which the term is 0, while the anchors converge.
        every: as in :class:`Regularizer`.
    """

    real_anchor: Tensor
    fake_anchor: Tensor
    uses: Tensor

    def __init__(
        self, weight: float = 0.3, decay: float = 0.99, start: int = 1000, every: int = 1
    ) -> None:
        super().__init__(every)
        self.weight, self.decay, self.start = weight, decay, start
        self.register_buffer("real_anchor", torch.zeros(()))
        self.register_buffer("fake_anchor", torch.zeros(()))
        self.register_buffer("uses", torch.zeros(()))

    @torch.no_grad()
    def _update_anchors(self, out: DiscriminatorOutputs) -> None:
        """Update the anchors; the first use sets them."""
        rate = torch.where(self.uses == 0, 1.0, 1 - self.decay)
        real, fake = out.real_logits.mean(), out.fake_logits.mean()
        processes.average([real, fake])
        self.real_anchor.lerp_(real, rate)
        self.fake_anchor.lerp_(fake, rate)
        self.uses += 1

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Update the anchors and return the term."""
        self._update_anchors(out)
        real = (out.real_logits - self.fake_anchor).square().mean()
        fake = (out.fake_logits - self.real_anchor).square().mean()
        return self.weight * (real + fake) * (self.uses > self.start)
