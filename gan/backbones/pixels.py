"""The 8-bit images that backbones read."""

from torch import Tensor, uint8


def to_uint8(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as 0..255, rounded half up; values outside the range are clamped.

    The inverse of x / 127.5 - 1: exact for 8-bit images that were scaled to [-1, 1].
    """
    return images.float().add(1).mul(127.5).add(0.5).floor().clamp(0, 255).to(uint8)
