"""Normalisation layers."""

from torch import nn


class LayerNorm2d(nn.GroupNorm):
    """Layer normalisation over channels and positions of each image (Ba et al., 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)
