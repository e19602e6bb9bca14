"""1x1 convolutions as matrix products."""

from torch import Tensor, nn
from torch.nn.functional import conv2d

from gan.layers.bilinear import BilinearMap, in_float32, product

MOST_IMAGES = 15  # of more images, PyTorch computes the convolution as oneDNN's; on one thread


def _pixels(x: Tensor) -> Tensor:
    """Return the rows (B H W, C) of maps (B, C, H, W); a view, if they are in channels_last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _maps(pixels: Tensor, like: Tensor) -> Tensor:
    """Return rows (B H W, O) as maps (B, O, H, W) in channels_last, sized as maps ``like``."""
    return pixels.view(len(like), *like.shape[2:], -1).permute(0, 3, 1, 2)


class _Pointwise(BilinearMap):
    """The convolution of maps (B, I, H, W) with weights (O, I, 1, 1)."""

    def compute(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the maps (B, O, H, W)."""
        return _maps(product(_pixels(x), weight[:, :, 0, 0].T), x)

    def transpose(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the maps (B, I, H, W) of y, (B, O, H, W)."""
        return _maps(product(_pixels(y), weight[:, :, 0, 0]), y)

    def correlate(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the weights (O, I, 1, 1) of x, (B, I, H, W), and y, (B, O, H, W)."""
        return product(_pixels(y).T, _pixels(x))[:, :, None, None]


POINTWISE = _Pointwise()


class Conv1x1(nn.Conv2d):
    """A 1x1 convolution without bias.

    For few images on a CPU it is a product of oneDNN, which is about twice as fast on one thread.

    Args:
        before: input channels.
        after: output channels.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, after, H, W) of (B, before, H, W)."""
        if in_float32(x, self.weight) and 0 < len(x) <= MOST_IMAGES:
            return POINTWISE(x, self.weight)
        return conv2d(x, self.weight)
