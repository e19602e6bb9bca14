"""Pictures from edges."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from datamodules.degradations.base import Degradation
from datamodules.degradations.luma import luma

SMOOTHING, SLOPE = (0.25, 0.5, 0.25), (-0.5, 0.0, 0.5)  # along an edge and across it


class Edges(Degradation):
    """Replaces images by their edges, dark on white; there is no classical restoration.

    A source is 1 - 2 min(g, 1) in all channels, where g is the length of the gradient of the luma
    by the Sobel operator, in units of [-1, 1] a pixel: a step from black to white is black. Images
    are continued at their borders.

    Deviation from Isola et al. 2017, Image-to-image translation with conditional adversarial
    networks: their edges are binary and come from a network.
    """

    name = "edges"

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:  # noqa: D102
        gray = F.pad(luma(images), [1] * 4, mode="replicate")
        along, across = images.new_tensor(SMOOTHING), images.new_tensor(SLOPE)
        down = F.conv2d(gray, (across[:, None] * along)[None, None])
        right = F.conv2d(gray, (along[:, None] * across)[None, None])
        strength = (down**2 + right**2).sqrt().clamp_(max=1)
        return (1 - 2 * strength).expand_as(images).contiguous()
