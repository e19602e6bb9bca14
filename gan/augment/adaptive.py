"""Adaptive augmentation: a probability controlled by the overfitting of the discriminator."""

import torch
from torch import Tensor

from gan import processes
from gan.augment.base import Augmentation
from gan.errors import InputError


class Adaptive(Augmentation):
    """An augmentation with adaptive probability p (Karras et al., 2020b, section 3, eq. 1).

    The overfitting measure is r_t = E[sign D(x)] on real images. After every ``interval``
    discriminator updates, r_t over all devices is compared with ``target``. p rises if r_t is above
    the target and falls if it is below, by (images seen in the interval) / ``images``. Deviation: p
    is at most 1; the authors' code has no bound.

    Args:
        p: initial probability; constant without a target.
        target: target of r_t, in (-1, 1); ``None`` keeps p constant.
        interval: discriminator updates between changes of p.
        images: number of images over which p can rise from 0 to 1.

    Attributes:
        p: present probability, a scalar.
        tally: sum of signs and number of images since the last change of p, (2,).
        turns: discriminator updates since the last change of p.
        pending: this device's sum and number of the update at hand, (2,); 0 between updates.

    Raises:
        InputError: if a number is out of range.
    """

    p: Tensor
    tally: Tensor
    turns: Tensor
    pending: Tensor

    def __init__(
        self,
        p: float = 0.0,
        target: float | None = 0.6,
        interval: int = 4,
        images: int = 500_000,
    ) -> None:
        super().__init__()
        self.base, self.target = p, target
        self.interval, self.images = interval, images
        self._check_arguments()
        self.register_buffer("p", torch.tensor(float(p)))
        self.register_buffer("tally", torch.zeros(2))
        self.register_buffer("turns", torch.zeros((), dtype=torch.int64))
        self.register_buffer("pending", torch.zeros(2), persistent=False)

    @property
    def disabled(self) -> bool:
        """Return whether p is constant and 0."""
        return self.target is None and self.base == 0

    def _check_arguments(self) -> None:
        """Raise InputError if an argument is out of range."""
        if not 0 <= self.base <= 1:
            raise InputError(f"augment.p={self.base}: give a probability")
        if self.target is not None and not -1 < self.target < 1:
            raise InputError(f"augment.target={self.target}: give a number between -1 and 1")
        for name, count in {"interval": self.interval, "images": self.images}.items():
            if count < 1:
                raise InputError(f"augment.{name}={count}: give a number from 1")

    def readings(self) -> dict[str, Tensor]:
        """Return the present p."""
        return {"augment/p": self.p.clone()}

    @torch.no_grad()
    def observe(self, real_logits: Tensor) -> None:
        """Count the signs of logits.

        Args:
            real_logits: logits of this device's augmented real images, (B, ...); NaN has sign 0.
        """
        if self.target is None:
            return
        sign = real_logits.sign().mean(dtype=torch.float32)
        self.pending += len(real_logits) * torch.stack([sign, torch.ones_like(sign)])

    @torch.no_grad()
    def adapt(self) -> None:
        """Count a discriminator update; change p at the end of an interval.

        Counts are summed over all devices after every update, so that any process can save them.
        """
        if self.target is None:
            return
        processes.average([self.pending])
        self.tally += processes.world_size() * self.pending
        self.pending.zero_()
        self.turns += 1
        signs, images = self.tally
        interval_over = self.turns >= self.interval
        self.p += interval_over * (signs / images - self.target).sign() * images / self.images
        self.p.clamp_(0, 1)
        self.tally *= ~interval_over
        self.turns *= ~interval_over
