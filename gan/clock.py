"""The clock of a run: steps and images seen."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypedDict

from gan.structure import Count


class ClockState(TypedDict):
    """The counts of a :class:`Clock` in a checkpoint."""

    step: Count
    images: Count


@dataclass
class Clock:
    """Counts of training progress.

    Attributes:
        step: generator updates done.
        images: real images shown to the discriminator, over all devices.
    """

    step: int = 0
    images: int = 0

    def tick(self, images: int) -> None:
        """Add one step, in which the discriminator saw ``images`` real images."""
        self.step += 1
        self.images += images

    def state_dict(self) -> ClockState:
        """Return the two counts as plain integers."""
        return {"step": self.step, "images": self.images}

    def load_state_dict(self, state: ClockState) -> None:
        """Set the two counts from :meth:`state_dict`."""
        self.step, self.images = state["step"], state["images"]


class Scheduled(ABC):
    """A module that changes with the number of images seen, such as a growing network."""

    @abstractmethod
    def set_progress(self, images: int) -> None:
        """Set the state for ``images`` real images seen; called before every step."""
