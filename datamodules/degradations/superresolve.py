"""Super-resolution: small images are enlarged."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from datamodules.degradations.base import Degradation, Setting, check_least
from datamodules.errors import DataError


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Return images (B, C, H, W) of another size, in [-1, 1].

    The bicubic kernel has a = -0.5, in source pixels for enlargement and in target pixels for
    reduction, as that of Pillow.

    Source: Keys 1981, Cubic convolution interpolation for digital image processing.
    """
    resized = F.interpolate(images, (height, width), mode="bicubic", antialias=True)
    return resized.clamp_(-1, 1)


class Superresolve(Degradation):
    """Reduces images bicubically, without aliasing.

    The classical restoration is bicubic enlargement.

    Args:
        factor: height of an image over that of its source, at least 2.

    Raises:
        DataError: if `factor` is below 2.
    """

    name = "superresolve"
    classical = "bicubic"

    def __init__(self, factor: int = 2) -> None:
        self.factor = self.scale = check_least("task.factor", factor, 2)

    @property
    def settings(self) -> dict[str, Setting]:  # noqa: D102
        return super().settings | {"factor": self.scale}

    def check(self, channels: int, resolution: int) -> None:  # noqa: D102
        super().check(channels, resolution)
        if resolution % self.scale:
            raise DataError(
                f"task.factor={self.scale}: does not divide the {resolution} pixels of the images:"
                " set data.resolution to a multiple"
            )

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:  # noqa: D102
        height, width = images.shape[2:]
        return resize(images, height // self.scale, width // self.scale)

    def baseline(self, sources: Tensor) -> Tensor:  # noqa: D102
        height, width = sources.shape[2:]
        return resize(sources, height * self.scale, width * self.scale)
