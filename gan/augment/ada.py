"""Adaptive discriminator augmentation."""

from torch import Tensor

from gan.augment.adaptive import Adaptive
from gan.augment.pipeline import Pipeline
from gan.clock import Scheduled
from gan.errors import InputError
from gan.schedules import Schedule


class ADA(Adaptive, Scheduled):
    """Transformations that both players' images undergo, each with probability p.

    Karras et al., 2020b; see :class:`~gan.augment.adaptive.Adaptive` for how p moves.

    Args:
        p: probability of each transformation, to begin with or for good.
        target: of r_t, in (-1, 1); ``None`` keeps p, or leaves it to ``schedule``.
        interval: turns of D between changes of p.
        images: in which p can go from 0 to 1.
        schedule: multiplier of p by images seen, in place of ``target``.
        blit, geometric, colour, filtering, noise, cutout: multipliers of p; see :class:`Pipeline`.

    Raises:
        InputError: if a number lies outside its range, or target and schedule are both given.
    """

    def __init__(
        self,
        p: float = 0.0,
        target: float | None = 0.6,
        interval: int = 4,
        images: int = 500_000,
        schedule: Schedule | None = None,
        blit: float = 1.0,
        geometric: float = 1.0,
        colour: float = 1.0,
        filtering: float = 0.0,
        noise: float = 0.0,
        cutout: float = 0.0,
    ) -> None:
        super().__init__(p, target, interval, images)
        if schedule is not None and target is not None:
            raise InputError(
                f"augment.schedule and augment.target={target} would both set p: set "
                "augment.target=null, or leave the schedule out"
            )
        self.schedule = schedule
        self.pipeline = Pipeline(blit, geometric, colour, filtering, noise, cutout)
        self.set_progress(0)

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images of the shape and type of ``images``, differentiable twice.

        Raises:
            InputError: if there is ``colour`` and they have neither 1 nor 3 channels.
        """
        if self.disabled:
            return images
        augmented: Tensor = self.pipeline(images, self.p)
        return augmented

    def set_progress(self, images: int) -> None:
        """Set p as the schedule, if there is one, has it after ``images`` real images."""
        if self.schedule is not None:
            self.p.fill_(min(max(self.base * self.schedule(images), 0.0), 1.0))
