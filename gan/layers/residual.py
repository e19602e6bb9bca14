"""Residual blocks that change the resolution (Gulrajani et al., 2017; Miyato et al., 2018)."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

NormLayer = Callable[[int], nn.Module]


def _upsample(x: Tensor) -> Tensor:
    """Return feature maps at twice the resolution, each pixel repeated."""
    return interpolate(x, scale_factor=2)


class UpBlock(nn.Module):
    """norm, ReLU, upsample, convolve, norm, ReLU, convolve, beside an upsampled 1x1 convolution.

    Args:
        before: channels that come in.
        after: channels that go out, at twice the resolution.
        norm: channels -> layer that takes maps and what the block is told.
    """

    def __init__(self, before: int, after: int, norm: NormLayer) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm(before), norm(after)])
        self.branch = nn.ModuleList(
            [nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)]
        )
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return maps (B, after, 2H, 2W) of x (B, before, H, W) and a label or code for each."""
        first, second = self.norms
        widen, refine = self.branch
        h = widen(_upsample(relu(first(x, condition))))
        h = refine(relu(second(h, condition)))
        # a 1x1 convolution commutes with the repetition of pixels, and costs less before it
        mixed: Tensor = h + _upsample(self.skip(x))
        return mixed


class DownBlock(nn.Module):
    """norm, ReLU, convolve, norm, ReLU, convolve, pool, beside a pooled 1x1 convolution.

    Args:
        before: channels that come in.
        after: channels that go out.
        down: halve the resolution.
        first: the block sees images: no norm and no ReLU before its first convolution.
        norm: channels -> normalisation layer.
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
            nn.Conv2d(before, after, 3, padding=1),
            norm(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1),
        )
        self.skip = nn.Conv2d(before, after, 1) if down or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, after, H, W), or half as high and wide, of x (B, before, H, W)."""
        h: Tensor = self.branch(x)
        if not self.down:
            mixed: Tensor = h + self.skip(x)
            return mixed
        # pooling commutes with a 1x1 convolution, and saves work before it
        shorter: Tensor = avg_pool2d(h, 2) + self.skip(avg_pool2d(x, 2))
        return shorter
