"""Adaptive pseudo augmentation."""

import torch
from torch import Tensor

from gan.augment.adaptive import Adaptive


class APA(Adaptive):
    """Fakes shown to the discriminator as real ones, each with probability p (Jiang et al., 2021).

    Deception against overfitting, without a transformation of any image; see
    :class:`~gan.augment.adaptive.Adaptive` for how p moves, and for the arguments.

    Deviation: the fakes of the same turn, of which each stands in for the real one of its label; a
    loss that judges in pairs learns nothing from those.
    """

    def substitute_reals(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return ``real``, (B, C, H, W), with each image replaced with probability p."""
        if self.disabled:
            return real
        coin = torch.rand(len(real), 1, 1, 1, device=real.device) < self.p
        return torch.where(coin, fake, real)
