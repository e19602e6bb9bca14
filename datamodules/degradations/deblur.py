"""Deblurring: Gaussian blur is removed."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.degradations.base import Degradation, Setting, check_positive
from datamodules.degradations.classical import Array, restoration, restore_each
from datamodules.errors import DataError

REACH = 4  # of the kernel, in standard deviations
BALANCE = 3e-5  # weight of the Laplacian against the data


class Deblur(Degradation):
    """Blurs images with a Gaussian kernel; images are reflected at their borders.

    Sources are rounded to 8 bits, as in a stored picture; otherwise the kernel could be inverted.
    The classical restoration is a Wiener filter with the true kernel.

    Source: Hunt 1973, The application of constrained least squares estimation to image restoration
    by digital computer.

    Args:
        std: standard deviation of the kernel in pixels, above 0.

    Raises:
        DataError: if `std` is not positive.
    """

    name = "deblur"
    classical = "Wiener filter"

    def __init__(self, std: float = 1.5) -> None:
        self.std = check_positive("task.std", std)
        self.radius = int(REACH * std + 0.5)

    @property
    def settings(self) -> dict[str, Setting]:  # noqa: D102
        return super().settings | {"std": self.std}

    def check(self, channels: int, resolution: int) -> None:  # noqa: D102
        super().check(channels, resolution)
        if self.radius >= resolution:
            most = (resolution - 1) / REACH
            raise DataError(
                f"task.std={self.std}: the images have {resolution} pixels a side: give at most"
                f" {most:g}"
            )

    @property
    def kernel(self) -> Tensor:
        """Return the kernel along one axis, float32 (2 radius + 1,), of sum 1."""
        places = torch.arange(-self.radius, self.radius + 1, dtype=torch.float64)
        weights = (-0.5 * (places / self.std) ** 2).exp()
        return (weights / weights.sum()).float()

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:  # noqa: D102
        kernel, padding = self.kernel.to(images), [self.radius] * 4
        planes = F.pad(images, padding, mode="reflect").flatten(0, 1)[:, None]
        planes = F.conv2d(planes, kernel[None, None, :, None])
        blurred = F.conv2d(planes, kernel[None, None, None, :]).view_as(images)
        return ((blurred + 1) * 127.5).round().clamp_(0, 255) / 127.5 - 1

    def baseline(self, sources: Tensor) -> Tensor:  # noqa: D102
        wiener, kernel = restoration().wiener, self.kernel.numpy()
        point_spread = np.outer(kernel, kernel)
        height, width = sources.shape[2:]

        def restore(source: Array) -> Array:
            planes = [wiener(plane, point_spread, BALANCE) for plane in source]
            return np.stack(planes)[:, :height, :width]

        # one period of the reflected image, as the filter takes images to be periodic
        period = F.pad(sources, [0, width - 2, 0, height - 2], mode="reflect")
        return restore_each(restore, period)
