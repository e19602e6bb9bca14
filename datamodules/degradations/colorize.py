"""Colorization: gray images get colours."""

from collections.abc import Sequence

from torch import Tensor

from datamodules.degradations.base import Degradation
from datamodules.degradations.luma import luma
from datamodules.errors import DataError


class Colorize(Degradation):
    """Replaces the three channels by their luma; there is no classical restoration."""

    name = "colorize"

    def check(self, channels: int, resolution: int) -> None:  # noqa: D102
        super().check(channels, resolution)
        if channels == 1:
            raise DataError(
                "task=colorize: the images are gray: choose colour images, such as data=cifar10"
            )

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:  # noqa: D102
        return luma(images).expand_as(images).contiguous()

    def complete(self, sources: Tensor, images: Tensor) -> Tensor:
        """Return the images with the luma of the sources, clipped to [-1, 1]."""
        return (images + (sources - luma(images))).clamp(-1, 1)
