"""3x3 convolutions with fewer multiplications (Winograd, 1980; Lavin and Gray, 2016).

F(4x4, 3x3): 36 multiplications give a tile of 4x4 pixels, for which a direct convolution needs 144.
All steps are matrix products on blocks of tiles, so that no compiler is needed. In float32, the
largest error is about 1e-5 of the largest output, that of a direct convolution 3e-6.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import conv2d, pad

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
    matrix = torch.tensor(rows, dtype=like.dtype)
    return torch.kron(matrix, matrix)


def _images_at_once(x: Tensor) -> int:
    """Return how many images (B, C, H, W) make a block."""
    return max(1, BLOCK * STEP**2 // (x.shape[2] * x.shape[3]))


def _input_blocks(x: Tensor) -> Iterator[Tensor]:
    """Yield the transformed tiles of blocks of images (B, C, H, W), each (36, tiles, C)."""
    transform, channels = _both_ways(_INPUT, x), x.shape[1]
    for images in torch.split(x.permute(0, 2, 3, 1), _images_at_once(x)):
        padded = pad(images, (0, 0, 1, 1, 1, 1))
        tiles = padded.unfold(1, TILE, STEP).unfold(2, TILE, STEP).permute(4, 5, 0, 1, 2, 3)
        yield (transform @ tiles.reshape(TILE**2, -1)).view(TILE**2, -1, channels)


def _output_tiles(y: Tensor) -> Tensor:
    """Return a view (4, 4, B, H / 4, W / 4, C) of maps (B, C, H, W): pixels of tiles."""
    count, channels, height, width = y.shape
    pixels = y.view(count, channels, height // STEP, STEP, width // STEP, STEP)
    return pixels.permute(3, 5, 0, 2, 4, 1)


def _kernels(weight: Tensor, transposed: bool) -> Tensor:
    """Return the transformed weights, (36, I, O), of (O, I, 3, 3), or (I, O, 3, 3) transposed."""
    taps = weight.permute(2, 3, 0, 1).reshape(9, -1)
    transform = _both_ways(_KERNEL, weight)
    if transposed:
        return (transform.flip(1) @ taps).view(TILE**2, *weight.shape[:2])
    return (transform @ taps).view(TILE**2, *weight.shape[:2]).transpose(1, 2)


def _convolve(x: Tensor, weight: Tensor, transposed: bool) -> Tensor:
    """Return the convolution of (B, I, H, W), or its transpose, with zero padding."""
    kernels = _kernels(weight, transposed)
    shape = len(x), kernels.shape[2], *x.shape[2:]
    out = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    transform = _both_ways(_OUTPUT, x)
    for tiles, part in zip(_input_blocks(x), torch.split(out, _images_at_once(x)), strict=True):
        pixels = transform @ torch.bmm(tiles, kernels).view(TILE**2, -1)
        target = _output_tiles(part)
        target.copy_(pixels.view(target.shape))
    return out


def _correlate(x: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient (O, I, 3, 3) of the weights, from that of the output (B, O, H, W)."""
    channels = gradient.shape[1], x.shape[1]
    total = torch.empty(TILE**2, *channels, dtype=x.dtype)
    transform = _both_ways(_OUTPUT, x).T
    blocks = zip(_input_blocks(x), torch.split(gradient, _images_at_once(x)), strict=True)
    for block, (tiles, part) in enumerate(blocks):
        pixels = _output_tiles(part).reshape(STEP**2, -1)
        products = (transform @ pixels).view(TILE**2, -1, channels[0])
        total.baddbmm_(products.transpose(1, 2), tiles, beta=min(block, 1))
    taps = _both_ways(_KERNEL, x).T @ total.view(TILE**2, -1)
    return taps.view(3, 3, *channels).permute(2, 3, 0, 1)


class _Convolution(Function):
    """The convolution or its transpose; the derivatives are convolutions of the same kind."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, transposed: bool) -> Tensor:
        """Return the maps (B, O, H, W) of x, (B, I, H, W).

        Args:
            ctx: of autograd.
            x: feature maps.
            weight: (O, I, 3, 3), or (I, O, 3, 3) of the convolution whose transpose is computed.
            transposed: compute the transpose.
        """
        ctx.save_for_backward(x, weight)
        ctx.transposed = transposed
        return _convolve(x, weight, transposed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Return the gradients of x and the weights."""
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, _ = ctx.needs_input_grad
        pair = (gradient, x) if ctx.transposed else (x, gradient)
        return (
            _Convolution.apply(gradient, weight, not ctx.transposed) if needs_x else None,
            _WeightGradient.apply(*pair) if needs_weight else None,
            None,
        )


class _WeightGradient(Function):
    """The gradient of the weights of a convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: Tensor) -> Tensor:
        """Return it, (O, I, 3, 3), for x, (B, I, H, W), and that of the output, (B, O, H, W)."""
        ctx.save_for_backward(x, gradient)
        return _correlate(x, gradient)

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of both arguments."""
        x, gradient = ctx.saved_tensors
        needs_x, needs_gradient = ctx.needs_input_grad
        return (
            _Convolution.apply(gradient, weight, True) if needs_x else None,
            _Convolution.apply(x, weight, False) if needs_gradient else None,
        )


class SameConv2d(nn.Module):
    """A layer with a convolution that keeps the size of its maps.

    Attributes:
        winograd: compute it in this form where that pays: in float32 on a CPU, outside autocast,
            3x3 weights of at least 128 channels, maps of at least 16 pixels in multiples of 4. The
            batch size has no say, so that an image does not depend on it.
    """

    winograd: bool = True

    def same_conv2d(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the convolution of (B, I, H, W) and (O, I, k, k), k odd, with zero padding."""
        if not (self.winograd and _pays(x, weight)):
            return conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        out: Tensor = _Convolution.apply(x, weight, False)
        return out if bias is None else out.add_(bias[:, None, None])


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
    sides, (*channels, height, width) = x.shape[2:], weight.shape
    return (
        x.is_cpu
        and x.dtype == weight.dtype == torch.float32
        and height == width == 3
        and min(sides) >= LEAST_PIXELS
        and all(side % STEP == 0 for side in sides)
        and min(channels) >= LEAST_CHANNELS
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )
