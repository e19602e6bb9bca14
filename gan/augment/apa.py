"""Adaptive pseudo augmentation."""

import torch
from torch import Tensor

from gan.augment.adaptive import Adaptive


class APA(Adaptive):
    """Fakes shown to the discriminator as real ones, each with probability p (Jiang et al., 2021).

    Deception against overfitting, without a transformation of any image; see
    :class:`~gan.augment.adaptive.Adaptive` for how p moves.

    Deviation: the fakes of the same turn, of which each stands in for the real one of its label; a
    loss that judges in pairs learns nothing from those.

    Args:
        p: probability, to begin with or for good.
        target: of r_t, in (-1, 1); ``None`` keeps p.
        interval: turns of D between changes of p.
        images: in which p can go from 0 to 1.

    Raises:
        InputError: if a number lies outside its range.
    """

    def __init__(
        self,
        p: float = 0.0,
        target: float | None = 0.6,
        interval: int = 4,
        images: int = 500_000,
    ) -> None:
        super().__init__(p, target, interval, images)

    def disguise(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return ``real``, (B, C, H, W), with each image replaced with probability p."""
        if self.idle:
            return real
        coin = torch.rand(len(real), 1, 1, 1, device=real.device) < self.p
        return torch.where(coin, fake, real)
