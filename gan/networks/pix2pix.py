"""The U-Net of pix2pix (Isola et al., 2017)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan.networks.base import Translator
from gan.networks.patch import initialize

_MOST = 8  # times the width of the first layer
_DROPOUTS = 3  # stages of the decoder


def _downsample(before: int, after: int, norm: bool) -> nn.Sequential:
    """Return leaky ReLU and a convolution of stride 2."""
    layers = [nn.LeakyReLU(0.2), nn.Conv2d(before, after, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(after)] if norm else []))


def _upsample(before: int, after: int, dropout: float) -> nn.Sequential:
    """Return ReLU and a transposed convolution of stride 2."""
    layers = [
        nn.ReLU(),
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
        nn.BatchNorm2d(after),
    ]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


class UNet(Translator):
    """An encoder to one pixel and a decoder with skip connections (Isola et al., 2017).

    A source that is smaller than the image is first enlarged bicubically. Deviation: the paper
    keeps dropout and batch statistics at test time; here both are off in evaluation mode.

    Args:
        channels: of source and image.
        resolution: height and width of the images, a power of two from 8.
        width: channels of the first layer; they double up to eight times this.
        dropout: probability in the three stages of the decoder after the first that have the most
            channels; where there are fewer such stages, in these.
        scale: height of an image over that of its source.

    Raises:
        ValueError: if ``resolution`` is no power of two from 8.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        width: int = 64,
        dropout: float = 0.5,
        scale: int = 1,
    ) -> None:
        super().__init__()
        stages = resolution.bit_length() - 1
        if stages < 3 or resolution != 1 << stages:
            raise ValueError(
                f"data.resolution={resolution}: the U-Net takes a power of two from 8: set "
                "data.resolution to 32, 64, 128 or 256"
            )
        self.scale = scale
        widths = [width * min(1 << stage, _MOST) for stage in range(stages)]
        self.first = nn.Conv2d(channels, width, 4, 2, 1, bias=False)
        inner = list(pairwise(widths))
        self.encoder = nn.ModuleList(
            _downsample(*pair, norm=stage + 1 < len(inner)) for stage, pair in enumerate(inner)
        )
        self.decoder = nn.ModuleList()
        for stage, (after, before) in enumerate(reversed(inner)):
            drops = 0 < stage <= _DROPOUTS and after == before
            self.decoder.append(
                _upsample(before * (2 if stage else 1), after, dropout if drops else 0.0)
            )
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * width, channels, 4, 2, 1))
        self.apply(initialize)

    def forward(self, x: Tensor) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1] of sources (B, C, H / scale, W / scale)."""
        if self.scale > 1:
            x = interpolate(x, scale_factor=self.scale, mode="bicubic")
        skips = [self.first(x)]
        for stage in self.encoder:
            skips.append(stage(skips[-1]))
        h = skips.pop()
        for stage in self.decoder:
            h = torch.cat([skips.pop(), stage(h)], dim=1)
        images: Tensor = self.last(h).tanh()
        return images
