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
