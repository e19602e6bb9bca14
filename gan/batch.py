"""What one update of a player is computed on."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Self

from torch import Tensor

from gan import counts
from gan.errors import InputError


@dataclass(frozen=True)
class Batch:
    """Real images and labels; a game adds what else its objectives need, first dimension B.

    Attributes:
        real: images (B, C, H, W) in [-1, 1].
        labels: (B,) of int64, or ``None`` for data without labels.
    """

    real: Tensor
    labels: Tensor | None

    def chunks(self, count: int) -> Iterator[Self]:
        """Yield ``count`` equal parts of the batch.

        Raises:
            InputError: if ``count`` does not divide it.
        """
        if len(self.real) % count:
            given = counts.show(len(self.real), "image")
            raise InputError(
                f"accumulate={count} does not divide the {given} of a device: "
                "give a number that divides batch_size"
            )
        columns = [getattr(self, field.name) for field in fields(self)]
        parts = [[None] * count if c is None else c.chunk(count) for c in columns]
        yield from (type(self)(*part) for part in zip(*parts, strict=True))


@dataclass(frozen=True)
class PairBatch(Batch):
    """Images of two domains; row k of both shows the same where the data are paired.

    Attributes:
        real: images of domain B, (B, C, H, W).
        labels: of the images of domain A.
        source: images of domain A, (B, C', H', W').
        epsilon: uniform in [0, 1), (B,), for the points of a gradient penalty.
    """

    source: Tensor
    epsilon: Tensor

    @property
    def reversed(self) -> Self:
        """Return the batch with the roles of the domains exchanged, without labels."""
        return replace(self, real=self.source, source=self.real, labels=None)


@dataclass(frozen=True)
class LatentBatch(Batch):
    """Real images, and the latents of as many fakes.

    Attributes:
        z: latents (B, latent_dim).
        epsilon: uniform in [0, 1), (B,), for the points of a gradient penalty.
    """

    z: Tensor
    epsilon: Tensor


@dataclass(frozen=True)
class EncodedBatch(LatentBatch):
    """What an update of a game with an encoder is computed on.

    Attributes:
        noise: standard normal, (B, latent_dim), for samples of the encoder's distributions.
    """

    noise: Tensor
