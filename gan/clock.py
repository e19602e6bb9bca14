"""The clock of a run: steps and images seen."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass


@dataclass
class Clock:
    """Time as everything in a run counts it.

    Attributes:
        step: generator updates done.
        images: real images shown to the discriminator, over all devices.
    """

    step: int = 0
    images: int = 0

    def tick(self, images: int) -> None:
        """Advance by one step that showed the discriminator ``images`` real images."""
        self.step += 1
        self.images += images

    def state_dict(self) -> dict[str, int]:
        """Return the two counts as plain integers."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Set the two counts from :meth:`state_dict`."""
        self.step, self.images = state["step"], state["images"]


class Paced(ABC):
    """What changes with the images seen, such as a network that grows."""

    @abstractmethod
    def follow(self, images: int) -> None:
        """Become what is due after ``images`` real images; called before every step."""
