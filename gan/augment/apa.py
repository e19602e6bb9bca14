"""Adaptive pseudo augmentation."""

import torch
from torch import Tensor

from gan.augment.adaptive import Adaptive


class APA(Adaptive):
    """Replace real images by fakes with probability p in D's update (Jiang et al., 2021).

    No image is transformed. :class:`~gan.augment.adaptive.Adaptive` adapts p and lists the
    arguments.

    Deviation: the fakes come from the same discriminator update, and a fake replaces the real image
    of the same index and label. A paired loss gets no gradient from such a pair.
    """

    def substitute_reals(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return ``real``, (B, C, H, W), with each image replaced by a fake with probability p."""
        if self.disabled:
            return real
        ones = [1] * (real.dim() - 1)
        coin = torch.rand(len(real), *ones, device=real.device) < self.p
        return torch.where(coin, fake, real)
