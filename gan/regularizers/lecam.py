"""LeCam regularization."""

import torch
from torch import Tensor

from gan import processes
from gan.regularizers.base import DiscriminatorOutputs, Networks, Regularizer


class LeCam(Regularizer):
    """Keep logits near the average of the other side's (Tseng et al., 2021, eq. 3).

    weight * (E (D(x) - a_F)^2 + E (D(G(z)) - a_R)^2), with anchors a_R and a_F the exponential
    moving averages of the mean logits on reals and fakes, over all devices. In the authors' code, a
    logit of a real below a_F and one of a fake above a_R have no term. Where ``accumulate`` cuts
    the batch, D's loss is computed twice: first for the anchors, then for its gradient.

    Args:
        weight: lambda.
        decay: of the anchors.
        start: uses in which the term is 0, while the anchors converge. The authors count steps,
            each of ``n_critic`` uses; in their BigGAN, anchors are those of a batch until then.
        every: as in :class:`Regularizer`.
        clamped: as in the authors' code; otherwise the paper's equation.
    """

    observes = True
    real_anchor: Tensor
    fake_anchor: Tensor
    uses: Tensor

    def __init__(
        self,
        weight: float = 0.3,
        decay: float = 0.99,
        start: int = 1000,
        every: int = 1,
        clamped: bool = False,
    ) -> None:
        super().__init__(every)
        self.weight, self.decay, self.start = weight, decay, start
        self.least = 0.0 if clamped else -torch.inf
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
        """Update the anchors, unless the whole batch has, and return the term."""
        if self.observing:
            self._update_anchors(out)
        real = (out.real_logits - self.fake_anchor).clamp(min=self.least)
        fake = (self.real_anchor - out.fake_logits).clamp(min=self.least)
        term = real.square().mean() + fake.square().mean()
        return self.weight * term * (self.uses > self.start)
