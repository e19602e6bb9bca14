"""Residual blocks that change the resolution (Gulrajani et al., 2017; Miyato et al., 2018)."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from gan.layers.folding import PooledConv2d, UpsampledConv2d
from gan.layers.winograd import Conv3x3

NormLayer = Callable[[int], nn.Module]


class NearestUpsampling:
    """Upsampling by 2 that repeats each pixel."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return feature maps (B, C, 2H, 2W) from (B, C, H, W)."""
        return interpolate(x, scale_factor=2)

    def convolution(self, before: int, after: int) -> nn.Module:
        """Return the upsampling and a 3x3 convolution as one layer."""
        return UpsampledConv2d(before, after)


class BilinearUpsampling(NearestUpsampling):
    """Bilinear upsampling by 2, as in the networks of mimicry (Lee and Town, 2020)."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return feature maps (B, C, 2H, 2W) from (B, C, H, W)."""
        return interpolate(x, scale_factor=2, mode="bilinear")

    def convolution(self, before: int, after: int) -> nn.Module:
        """Return the upsampling and a 3x3 convolution as one layer."""
        return BilinearConv2d(before, after)


class BilinearConv2d(Conv3x3):
    """Bilinear upsampling by 2, then a 3x3 convolution: (B, after, 2H, 2W) of (B, before, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps at twice the resolution."""
        return super().forward(interpolate(x, scale_factor=2, mode="bilinear"))


class UpBlock(nn.Module):
    """A residual block that doubles the resolution.

    Branch: norm, ReLU, upsample, convolution, norm, ReLU, convolution. Skip: upsampled 1x1
    convolution.

    Args:
        before: input channels.
        after: output channels.
        norm: function of the number of channels that returns a normalisation layer; its
            ``forward`` takes the maps and the condition.
        bilinear: interpolate bilinearly; otherwise, each pixel is repeated.
    """

    def __init__(self, before: int, after: int, norm: NormLayer, bilinear: bool = False) -> None:
        super().__init__()
        self.upsample = BilinearUpsampling() if bilinear else NearestUpsampling()
        self.norms = nn.ModuleList([norm(before), norm(after)])
        widen = self.upsample.convolution(before, after)
        self.branch = nn.ModuleList([widen, Conv3x3(after, after)])
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return feature maps (B, after, 2H, 2W).

        Args:
            x: feature maps (B, before, H, W).
            condition: labels or codes for the normalisation layers.
        """
        first, second = self.norms
        widen, refine = self.branch
        h = widen(relu(first(x, condition)))
        h = refine(relu(second(h, condition)))
        # 1x1 convolution before upsampling: same result, lower cost
        mixed: Tensor = h + self.upsample(self.skip(x))
        return mixed


class DownBlock(nn.Module):
    """A residual block that can halve the resolution.

    Branch: norm, ReLU, convolution, norm, ReLU, convolution, average pooling. Skip: pooled 1x1
    convolution.

    Args:
        before: input channels.
        after: output channels.
        down: halve the resolution.
        norm: function of the number of channels that returns a normalisation layer.
        first: the input is an image: no norm and no ReLU before the first convolution.
    """

    def __init__(
        self,
        before: int,
        after: int,
        down: bool,
        norm: NormLayer = nn.Identity,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.down, self.first = down, first
        entry = nn.Identity() if first else nn.Sequential(norm(before), nn.ReLU())
        self.branch = nn.Sequential(
            entry,
            Conv3x3(before, after),
            norm(after),
            nn.ReLU(),
            PooledConv2d(after, after) if down else Conv3x3(after, after),
        )
        self.skip = nn.Conv2d(before, after, 1) if down or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, after, H, W), or (B, after, H/2, W/2), from (B, before, H, W)."""
        h: Tensor = self.branch(x)
        if not self.down:
            mixed: Tensor = h + self.skip(x)
            return mixed
        # pooling before the 1x1 convolution: same result, lower cost
        shorter: Tensor = h + self.skip(avg_pool2d(x, 2))
        return shorter
