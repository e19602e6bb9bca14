"""A 3x3 convolution and pooling by 2 with 9 multiplications an output pixel instead of 16.

In one direction, with weights (a, b, c), twice the mean of the outputs at 2i and 2i + 1 is
::

    a (x[2i-1] - x[2i+1]) + (a + b + c) (x[2i] + x[2i+1]) + c (x[2i+2] - x[2i]),

three products instead of the four of the folded kernel (a, a + b, b + c, c): a minimal filtering
algorithm in the sense of Winograd (1980). In both directions they are nine, and all of them are
one matrix product of nine maps for each channel. The transpose is nearest upsampling and a
convolution.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from gan.layers.bilinear import BilinearMap, empty_maps, image_blocks, pays, product

BLOCK = 256  # output pixels of a matrix product
LEAST_CHANNELS = 96  # below, a direct convolution is as fast
_KERNEL = ((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))  # of the three terms


def _block_pairs(x: Tensor, y: Tensor, halves: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield views (b, H, W, I) and (b, H/2, W/2, O) of some images of x and y each."""
    positions = halves[0] * halves[1]
    yield from zip(
        image_blocks(x, positions, BLOCK), image_blocks(y, positions, BLOCK), strict=True
    )


def _transform(like: Tensor) -> Tensor:
    """Return the matrix (9, 9) from the pixels of a kernel to its terms."""
    rows = torch.tensor(_KERNEL, dtype=like.dtype, device=like.device)
    return torch.kron(rows, rows) / 4


def _kernels(weight: Tensor) -> Tensor:
    """Return the weights of the nine terms, (9, I, O), of (O, I, 3, 3)."""
    taps = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return product(_transform(weight), taps).view(9, *weight.shape[1::-1])


def _terms_along(x: Tensor, dim: int, out: Tensor) -> None:
    """Write the three terms of pixels along a dimension, padded by 1 each way.

    Args:
        x: maps; 2n + 2 pixels along the dimension.
        dim: the dimension.
        out: of the terms, (3, ...), n along the dimension.
    """
    pixels = x.unfold(dim, 4, 2).movedim(-1, 0)  # x[2i-1] to x[2i+2]
    torch.sub(pixels[0], pixels[2], out=out[0])
    torch.add(pixels[1], pixels[2], out=out[1])
    torch.sub(pixels[3], pixels[1], out=out[2])


def _terms(images: Tensor) -> Tensor:
    """Return the nine terms (b H/2 W/2, 9 C) of images (b, H, W, C)."""
    count, height, width, channels = images.shape
    padded = pad(images, (0, 0, 1, 1, 1, 1))
    rows = images.new_empty(3, count, height // 2, width + 2, channels)
    _terms_along(padded, 1, rows)
    terms = images.new_empty(count, height // 2, width // 2, 3, 3, channels)
    _terms_along(rows, 3, terms.permute(4, 3, 0, 1, 2, 5))
    return terms.view(-1, 9 * channels)


def _pixels_along(terms: Tensor, dim: int, out: Tensor) -> None:
    """Write the pixels whose terms are given: the transpose of the terms, without the padding.

    Args:
        terms: (3, ...), n along the dimension.
        dim: the dimension, without the first.
        out: two maps (2, ...) of the even and the odd pixels, n along the dimension.
    """
    first, middle, last = terms
    count = first.shape[dim]
    torch.sub(middle, last, out=out[0])
    out[0].narrow(dim, 1, count - 1).add_(last.narrow(dim, 0, count - 1))
    torch.sub(middle, first, out=out[1])
    out[1].narrow(dim, 0, count - 1).add_(first.narrow(dim, 1, count - 1))


def _pixels(terms: Tensor, out: Tensor) -> None:
    """Write the images (b, H, W, C) whose terms (b H/2 W/2, 9 C) are given."""
    count, height, width, channels = out.shape
    halves = count, height // 2, width // 2
    columns = terms.new_empty(2, 3, *halves, channels)
    by_term = terms.view(*halves, 3, 3, channels).permute(4, 3, 0, 1, 2, 5)
    _pixels_along(by_term, 3, columns)
    target = out.view(count, halves[1], 2, halves[2], 2, channels).permute(2, 4, 0, 1, 3, 5)
    _pixels_along(columns.transpose(0, 1), 2, target)


class _PooledConvolution(BilinearMap):
    """The mean over 2x2 pixels of the convolution of (B, I, H, W) and (O, I, 3, 3)."""

    def compute(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the maps (B, O, H/2, W/2)."""
        count, channels, height, width = x.shape
        halves, width_out = (height // 2, width // 2), len(weight)
        kernels = _kernels(weight).view(9 * channels, width_out)
        out = empty_maps((count, width_out, *halves), x)
        for images, part in _block_pairs(x, out, halves):
            part.copy_(product(_terms(images), kernels).view(part.shape))
        return out

    def transpose(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the maps (B, I, H, W) of y, (B, O, H/2, W/2)."""
        count, channels, height, width = y.shape
        kernels = _kernels(weight).view(-1, channels).T
        out = empty_maps((count, weight.shape[1], 2 * height, 2 * width), y)
        for part, maps in _block_pairs(out, y, (height, width)):
            _pixels(product(maps.reshape(-1, channels), kernels), part)
        return out

    def correlate(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the weights (O, I, 3, 3) of x, (B, I, H, W), and y, (B, O, H/2, W/2)."""
        channels = y.shape[1], x.shape[1]
        total = x.new_zeros(channels[0], 9 * channels[1])
        for images, part in _block_pairs(x, y, y.shape[2:]):
            total += product(part.reshape(-1, channels[0]).T, _terms(images))
        terms = total.view(channels[0], 9, channels[1]).transpose(0, 1).reshape(9, -1)
        taps = product(_transform(x).T, terms)
        return taps.view(3, 3, *channels).permute(2, 3, 0, 1)


POOLED_CONVOLUTION = _PooledConvolution()


def products_pay(x: Tensor, weight: Tensor, least_pixels: int) -> bool:
    """Return whether nine products are allowed and faster: for pooled or upsampled maps x.

    Args:
        x: maps (B, I, H, W).
        weight: weights (O, I, 3, 3).
        least_pixels: of a side. A product of a single row is rounded in another way, so that an
            image alone would differ from the same image in a batch.
    """
    return pays(x, weight, LEAST_CHANNELS, least_pixels)
