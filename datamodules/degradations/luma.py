"""Luma: the gray image of a colour image."""

from torch import Tensor

WEIGHTS = (0.299, 0.587, 0.114)  # red, green, blue


def luma(images: Tensor) -> Tensor:
    """Return the luma (B, 1, H, W) of gray or colour images (B, C, H, W), C = 1 or 3.

    Source: ITU-R BT.601.
    """
    if images.shape[1] == 1:
        return images
    weights = images.new_tensor(WEIGHTS)[:, None, None]
    return (images * weights).sum(1, keepdim=True)
