"""A probability that follows how far the discriminator overfits."""

import torch
from torch import Tensor

from gan import processes
from gan.augment.base import Augmentation
from gan.errors import InputError


class Adaptive(Augmentation):
    """An augmentation whose p follows r_t = E[sign D(x)] on reals (Karras et al., 2020b).

    Every ``interval`` turns of D, r_t over the reals of all devices is compared with ``target``; p
    moves by the images of those turns, divided by ``images``, up if r_t is above and down if below
    (section 3, eq. 1). Here p ends at 1, unlike in the authors' code.

    Args:
        p: to begin with, or for good.
        target: of r_t, in (-1, 1); ``None`` keeps p.
        interval: turns of D between changes of p.
        images: in which p can go from 0 to 1.

    Attributes:
        p: probability at present, without dimensions.

    Raises:
        InputError: if a number lies outside its range.
    """

    p: Tensor
    tally: Tensor  # of the turns since p changed: sum of signs, images
    turns: Tensor

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

    @property
    def disabled(self) -> bool:
        """Whether p is 0 for good."""
        return self.target is None and self.base == 0

    def _check_arguments(self) -> None:
        """Refuse what the arguments cannot be."""
        if not 0 <= self.base <= 1:
            raise InputError(f"augment.p={self.base}: give a probability")
        if self.target is not None and not -1 < self.target < 1:
            raise InputError(f"augment.target={self.target}: give a number between -1 and 1")
        for name, count in {"interval": self.interval, "images": self.images}.items():
            if count < 1:
                raise InputError(f"augment.{name}={count}: give a number from 1")

    def readings(self) -> dict[str, Tensor]:
        """Return p at present."""
        return {"augment/p": self.p.clone()}

    @torch.no_grad()
    def observe(self, real_logits: Tensor) -> None:
        """Count a turn and, at the end of an interval, move p.

        The counts are those of all devices after every turn, so that any process can save them.

        Args:
            real_logits: of this device's augmented reals, (B, ...); NaN has no sign.
        """
        if self.target is None:
            return
        sign = real_logits.sign().mean(dtype=torch.float32)
        seen = len(real_logits) * torch.stack([sign, torch.ones_like(sign)])
        processes.average([seen])
        self.tally += processes.world_size() * seen
        self.turns += 1
        signs, images = self.tally
        due = self.turns >= self.interval
        self.p += due * (signs / images - self.target).sign() * images / self.images
        self.p.clamp_(0, 1)
        self.tally *= ~due
        self.turns *= ~due
