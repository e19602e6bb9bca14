"""1x1 convolutions as matrix products."""

from torch import Tensor, nn
from torch.nn.functional import conv2d

from gan.layers.bilinear import BilinearMap, in_float32, product

MOST_IMAGES = 15  # of more images, PyTorch computes the convolution as oneDNN's; on one thread


class _Linear(BilinearMap):
    """The linear map of rows (N, I) by weights (O, I)."""

    def compute(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return rows (N, O)."""
        return product(x, weight.T)

    def transpose(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return rows (N, I) of y, (N, O)."""
        return product(y, weight)

    def correlate(self, x: Tensor, y: Tensor) -> Tensor:
        """Return weights (O, I) of x, (N, I), and y, (N, O)."""
        return product(y.T, x)


LINEAR = _Linear()


def pointwise_conv2d(x: Tensor, weight: Tensor) -> Tensor:
    """Return maps (B, O, H, W) in channels_last of maps (B, I, H, W) and weights (O, I, 1, 1)."""
    pixels = x.permute(0, 2, 3, 1)
    rows = LINEAR(pixels.reshape(-1, x.shape[1]), weight.flatten(1))
    return rows.view(*pixels.shape[:3], -1).permute(0, 3, 1, 2)


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
        if in_float32(x, self.weight) and x.dim() == 4 and 0 < len(x) <= MOST_IMAGES:
            return pointwise_conv2d(x, self.weight)
        return conv2d(x, self.weight)
