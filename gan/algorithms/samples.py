"""The samples of a game, one batch after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from gan.algorithms.latent import SAMPLE_BATCH, LatentGame
from gan.algorithms.sampling import Langevin
from gan.progress import bar


@dataclass(frozen=True)
class Samples:
    """The first images of a seed; image k depends on the seed, k and its label alone.

    Attributes:
        game: in evaluation mode.
        n: number of images.
        seed: of the latents, and of what is drawn besides.
        labels: (n,), or ``None`` for an unconditional game.
        langevin: that moves each latent, or ``None``.
    """

    game: LatentGame
    n: int
    seed: int
    labels: Tensor | None = None
    langevin: Langevin | None = None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of an image, (C, H, W)."""
        return tuple(self.game.sample(1).shape[1:])

    def batches(self) -> Iterator[tuple[range, Tensor]]:
        """Yield the numbers of some images, and the images (B, C, H, W) in [-1, 1] on the CPU."""
        with bar("samples", self.n, "img") as progress:
            for start in range(0, self.n, SAMPLE_BATCH):
                numbers = range(start, min(start + SAMPLE_BATCH, self.n))
                yield numbers, self._images(numbers)
                progress.update(len(numbers))

    def _images(self, numbers: range) -> Tensor:
        """Return the images of some numbers."""
        first, z = numbers.start, self.game.prior.sample_each(self.seed, numbers)
        y = None if self.labels is None else self.labels[first : numbers.stop]
        if self.langevin is not None:
            z = self.langevin(self.game, z, y, self.seed, first)
        return self.game.decode(z, y, self.seed, first)
