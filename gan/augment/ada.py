"""Adaptive discriminator augmentation."""

from torch import Tensor

from gan.augment.adaptive import Adaptive
from gan.augment.pipeline import Pipeline
from gan.clock import Scheduled
from gan.errors import InputError
from gan.schedules import Schedule


class ADA(Adaptive, Scheduled):
    """Random transformations of the images of both players, each with probability p.

    Karras et al., 2020b; :class:`~gan.augment.adaptive.Adaptive` adapts p.

    Args:
        p: initial probability of each transformation; constant without target and schedule.
        target: target of r_t, in (-1, 1); ``None`` does not adapt p.
        interval: discriminator updates between changes of p.
        images: number of images over which p can rise from 0 to 1.
        schedule: multiplier of p as a function of images seen, instead of ``target``.
        blit, geometric, colour, filtering, noise, cutout: multipliers of p; see :class:`Pipeline`.

    Raises:
        InputError: if a number is out of range, or target and schedule are both given.
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
                f"augment.schedule and augment.target={target} cannot be combined: set "
                "augment.target=null, or remove the schedule"
            )
        self.schedule = schedule
        self.pipeline = Pipeline(blit, geometric, colour, filtering, noise, cutout)
        self.set_progress(0)

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images of the shape and type of ``images``, twice differentiable.

        Raises:
            InputError: if ``colour`` is on and the images have neither 1 nor 3 channels.
        """
        if self.disabled:
            return images
        augmented: Tensor = self.pipeline(images, self.p)
        return augmented

    def set_progress(self, images: int) -> None:
        """Set p from the schedule, if there is one, for ``images`` real images seen."""
        if self.schedule is not None:
            self.p.fill_(min(max(self.base * self.schedule(images), 0.0), 1.0))
