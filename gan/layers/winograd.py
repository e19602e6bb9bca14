"""3x3 convolutions with fewer multiplications (Winograd, 1980; Lavin and Gray, 2016).

F(4x4, 3x3): 36 multiplications give a tile of 4x4 pixels, for which a direct convolution needs 144.
All steps are matrix products on blocks of tiles, so that no compiler is needed. In float32, the
largest error is about 1e-5 of the largest output, that of a direct convolution 3e-6.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from gan.layers.bilinear import (
    BilinearMap,
    MinimalFiltering,
    add_bias,
    empty_maps,
    image_blocks,
    pays,
    product,
)

STEP, TILE = 4, 6  # pixels of a tile of the output and of the input, in each direction
LEAST_PIXELS, LEAST_CHANNELS = 16, 128  # below, a direct convolution is as fast
BLOCK = 256  # tiles of a matrix product
_INPUT = (
    (4.0, 0.0, -5.0, 0.0, 1.0, 0.0),
    (0.0, -4.0, -4.0, 1.0, 1.0, 0.0),
    (0.0, 4.0, -4.0, -1.0, 1.0, 0.0),
    (0.0, -2.0, -1.0, 2.0, 1.0, 0.0),
    (0.0, 2.0, -1.0, -2.0, 1.0, 0.0),
    (0.0, 4.0, 0.0, -5.0, 0.0, 1.0),
)
_KERNEL = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)
_OUTPUT = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    (0.0, 1.0, -1.0, 2.0, -2.0, 0.0),
    (0.0, 1.0, 1.0, 4.0, 4.0, 0.0),
    (0.0, 1.0, -1.0, 8.0, -8.0, 1.0),
)


def _both_ways(rows: tuple[tuple[float, ...], ...], like: Tensor) -> Tensor:
    """Return the matrix that applies ``rows`` in both directions of a flattened tile."""
    matrix = torch.tensor(rows, dtype=like.dtype, device=like.device)
    return torch.kron(matrix, matrix)


def _blocks(x: Tensor) -> Iterator[Tensor]:
    """Yield views (b, H, W, C) of some images each."""
    yield from image_blocks(x, x.shape[2] * x.shape[3] // STEP**2, BLOCK)


def _input_tiles(images: Tensor) -> Tensor:
    """Return the transformed tiles, (36, tiles, C), of images (b, H, W, C)."""
    padded = pad(images, (0, 0, 1, 1, 1, 1))
    tiles = padded.unfold(1, TILE, STEP).unfold(2, TILE, STEP).permute(4, 5, 0, 1, 2, 3)
    transformed = product(_both_ways(_INPUT, images), tiles.reshape(TILE**2, -1))
    return transformed.view(TILE**2, -1, images.shape[3])


def _output_tiles(y: Tensor) -> Tensor:
    """Return a view (4, 4, b, H / 4, W / 4, C) of maps (b, H, W, C): pixels of tiles."""
    count, height, width, channels = y.shape
    pixels = y.view(count, height // STEP, STEP, width // STEP, STEP, channels)
    return pixels.permute(2, 4, 0, 1, 3, 5)


def _kernels(weight: Tensor) -> Tensor:
    """Return the transformed weights, (36, I, O), of (O, I, 3, 3)."""
    taps = weight.permute(2, 3, 0, 1).reshape(9, -1)
    kernels = product(_both_ways(_KERNEL, weight), taps)
    return kernels.view(TILE**2, *weight.shape[:2]).transpose(1, 2)


def _convolve(x: Tensor, kernels: Tensor) -> Tensor:
    """Return the convolution (B, O, H, W) of (B, I, H, W) with zero padding."""
    out = empty_maps((len(x), kernels.shape[2], *x.shape[2:]), x)
    transform = _both_ways(_OUTPUT, x)
    for images, part in zip(_blocks(x), _blocks(out), strict=True):
        pairs = zip(_input_tiles(images), kernels, strict=True)
        products = torch.stack([product(tiles, kernel) for tiles, kernel in pairs])
        target = _output_tiles(part)
        target.copy_(product(transform, products.view(TILE**2, -1)).view(target.shape))
    return out


def _correlate(x: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient (O, I, 3, 3) of the weights, from that of the output (B, O, H, W)."""
    channels = gradient.shape[1], x.shape[1]
    total = x.new_zeros(TILE**2, *channels)
    transform = _both_ways(_OUTPUT, x).T
    for images, part in zip(_blocks(x), _blocks(gradient), strict=True):
        pixels = _output_tiles(part.contiguous()).reshape(STEP**2, -1)
        products = product(transform, pixels).view(TILE**2, -1, channels[0])
        for sums, errors, tiles in zip(total, products, _input_tiles(images), strict=True):
            sums += product(errors.T, tiles)
    taps = product(_both_ways(_KERNEL, x).T, total.view(TILE**2, -1))
    return taps.view(3, 3, *channels).permute(2, 3, 0, 1)


class _Convolution(BilinearMap):
    """The convolution of (B, I, H, W) and (O, I, 3, 3) with zero padding."""

    def compute(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the maps (B, O, H, W)."""
        return _convolve(x, _kernels(weight))

    def transpose(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the maps (B, I, H, W) of y, (B, O, H, W)."""
        return _convolve(y, _kernels(weight.flip(2, 3).transpose(0, 1)))

    def correlate(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the weights (O, I, 3, 3) of x, (B, I, H, W), and y, (B, O, H, W)."""
        return _correlate(x, y)


CONVOLUTION = _Convolution()


class SameConv2d(MinimalFiltering):
    """A layer with a convolution that keeps the size of its maps, in Winograd's form if chosen.

    The sides of the maps must be multiples of 4.
    """

    def same_conv2d(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the convolution of (B, I, H, W) and (O, I, k, k), k odd, with zero padding."""
        if not (self.winograd and _pays(x, weight)):
            return conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        return add_bias(CONVOLUTION(x, weight), bias)


class Conv3x3(nn.Conv2d, SameConv2d):
    """A 3x3 convolution with padding 1.

    Args:
        before: input channels.
        after: output channels.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, after, H, W) of (B, before, H, W)."""
        return self.same_conv2d(x, self.weight, self.bias)


def _pays(x: Tensor, weight: Tensor) -> bool:
    """Return whether the convolution of x is faster in this form, and allowed."""
    whole_tiles = all(side % STEP == 0 for side in x.shape[2:])
    return whole_tiles and pays(x, weight, LEAST_CHANNELS, LEAST_PIXELS)
