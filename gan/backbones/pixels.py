"""The 8-bit images that backbones read."""

from torch import Tensor, uint8


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] as 0..255, rounded half up; values outside the range are clamped.

    The inverse of x / 127.5 - 1: an 8-bit image that was brought to [-1, 1] comes back exactly.
    """
    return images.float().add(1).mul(127.5).add(0.5).floor().clamp(0, 255).to(uint8)
