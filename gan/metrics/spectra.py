"""Power of images over spatial frequency (Durall, Keuper & Keuper, 2020)."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.backbones.pixels import to_uint8


def power(images: Tensor) -> Tensor:
    """Return |DFT|^2 / (H W) of images (B, C, H, W), mean over channels: (B, H, W).

    The zero frequency lies in the middle, at (H // 2, W // 2). White noise of variance s^2 has the
    expectation s^2 at each frequency, and the sum over frequencies is that of squared pixels.
    """
    height, width = images.shape[2:]
    transformed = torch.fft.fft2(images.double()).abs().square() / (height * width)
    centred: Tensor = torch.fft.fftshift(transformed, dim=(2, 3))
    return centred.mean(1)


def rings(side: int) -> Tensor:
    """Return the frequency of each cell of :meth:`power` in whole cycles an image, (side, side).

    It is the distance from the zero frequency, rounded to the nearest integer.
    """
    along = torch.arange(side) - side // 2
    return (along[:, None].square() + along.square()).double().sqrt().round().long()


def azimuthal_mean(powers: Tensor) -> Tensor:
    """Return the mean of powers (B, R, R) over each ring: (B, R // 2 + 1), frequency 0 first.

    Frequencies beyond R / 2, in the corners of the square, are left out.
    """
    side = powers.shape[-1]
    ring = rings(side)
    inside = ring <= side // 2
    numbers = ring[inside].to(powers.device)
    sums = powers.new_zeros(len(powers), side // 2 + 1)
    sums.index_add_(1, numbers, powers[:, inside.to(powers.device)])
    return sums / torch.bincount(numbers, minlength=side // 2 + 1)


@dataclass(frozen=True)
class Spectrum:
    """The power of a set of images.

    Attributes:
        plane: mean of :func:`power` over images, (R, R).
        profiles: :func:`azimuthal_mean` of each image, (N, R // 2 + 1).
    """

    plane: Tensor
    profiles: Tensor

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> "Spectrum":
        """Return the spectrum of batches of images (B, C, R, R) in [-1, 1], rounded to 8 bits.

        Rounding gives real and generated images the same noise floor.
        """
        total, profiles = torch.zeros(()), []
        for images in batches:
            powers = power(to_uint8(images) / 127.5 - 1)
            total = total + powers.sum(0)
            profiles.append(azimuthal_mean(powers))
        rows = torch.cat(profiles)
        return cls(total / len(rows), rows)

    @property
    def mean(self) -> Tensor:
        """Return the mean power at each frequency, (R // 2 + 1,)."""
        return self.profiles.mean(0)

    def quantiles(self, low: float, high: float) -> tuple[Tensor, Tensor]:
        """Return two quantiles over images of the power at each frequency."""
        return self.profiles.quantile(low, 0), self.profiles.quantile(high, 0)


def decibels(generated: Tensor, real: Tensor) -> Tensor:
    """Return 10 log10 of the ratio of powers; 0 where both are the same, zeros included."""
    tiny = torch.finfo(real.dtype).tiny
    return 10 * (generated.clamp(min=tiny) / real.clamp(min=tiny)).log10()
