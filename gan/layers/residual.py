"""Residual blocks that change the resolution (Gulrajani et al., 2017; Miyato et al., 2018)."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from gan.layers.folding import PooledConv2d, UpsampledConv2d
from gan.layers.winograd import Conv3x3

NormLayer = Callable[[int], nn.Module]


def _upsample(x: Tensor) -> Tensor:
    """Return feature maps at twice the resolution by nearest-neighbour interpolation."""
    return interpolate(x, scale_factor=2)


class UpBlock(nn.Module):
    """A residual block that doubles the resolution.

    Branch: norm, ReLU, upsample, convolution, norm, ReLU, convolution. Skip: upsampled 1x1
    convolution.

    Args:
        before: input channels.
        after: output channels.
        norm: function of the number of channels that returns a normalisation layer; its
            ``forward`` takes the maps and the condition.
    """

    def __init__(self, before: int, after: int, norm: NormLayer) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm(before), norm(after)])
        self.branch = nn.ModuleList([UpsampledConv2d(before, after), Conv3x3(after, after)])
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return feature maps (B, after, 2H, 2W).

        Args:
            x: feature maps (B, before, H, W).
            condition: labels or codes for the normalisation layers.
        """
        first, second = self.norms
        widen, refine = self.branch
        h = widen(relu(first(x, condition), inplace=True))
        h = refine(relu(second(h, condition), inplace=True))
        # 1x1 convolution before upsampling: same result, lower cost
        mixed: Tensor = h + _upsample(self.skip(x))
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
            nn.ReLU(inplace=True),
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
