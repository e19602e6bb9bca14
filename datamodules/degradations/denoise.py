"""Denoising: Gaussian noise is removed."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from datamodules.degradations.base import Degradation, Setting, check_positive, draws
from datamodules.degradations.classical import Array, restoration, restore_each

PATCH = {"patch_size": 5, "patch_distance": 6, "fast_mode": False}  # pixels
CUT_OFF = 0.6  # of the distance of patches, in standard deviations
LEVELS = np.linspace(-1, 1, 1001)


def clipped_mean(levels: Array, std: float) -> Array:
    """Return the mean of each level plus Gaussian noise, clipped to [-1, 1].

    Source: Foi 2009, Clipped noisy images: heteroskedastic modeling and practical denoising.
    """
    low, high = (-1 - levels) / std, (1 - levels) / std
    density = (np.exp(-(low**2) / 2) - np.exp(-(high**2) / 2)) / math.sqrt(2 * math.pi)
    inside: Array = levels * (ndtr(high) - ndtr(low)) + std * density
    return inside + ndtr(-high) - ndtr(low)


class Denoise(Degradation):
    """Adds Gaussian noise; values outside [-1, 1] are clipped, as in a stored picture.

    The classical restoration is non-local means with the true standard deviation. Clipping moves
    the mean of black and white pixels; the restoration reverses that.

    Source: Buades, Coll and Morel 2005, A non-local algorithm for image denoising.

    Args:
        std: standard deviation of the noise, where black is -1 and white is 1; above 0.

    Raises:
        DataError: if `std` is not positive.
    """

    name = "denoise"
    classical = "non-local means"

    def __init__(self, std: float = 0.5) -> None:
        self.std = check_positive("task.std", std)

    @property
    def settings(self) -> dict[str, Setting]:  # noqa: D102
        return super().settings | {"std": self.std}

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:  # noqa: D102
        shape = images.shape[1:]
        noise = np.stack([draws(key).standard_normal(shape, np.float32) for key in keys])
        return (images + self.std * torch.from_numpy(noise).to(images)).clamp_(-1, 1)

    def baseline(self, sources: Tensor) -> Tensor:  # noqa: D102
        average = restoration().denoise_nl_means
        strength = {"h": CUT_OFF * self.std, "sigma": self.std}
        means = clipped_mean(LEVELS, self.std)

        def restore(source: Array) -> Array:
            pixels = source.transpose(1, 2, 0)
            averages = average(pixels, channel_axis=-1, **strength, **PATCH)
            restored: Array = np.interp(averages, means, LEVELS).reshape(pixels.shape)
            return restored.transpose(2, 0, 1)

        return restore_each(restore, sources)
