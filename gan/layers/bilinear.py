"""Maps that are linear in feature maps and in weights, with derivatives of any order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from gan.layers.precision import full_precision


class BilinearMap(ABC):
    """y = A(x, w), linear in x and in w.

    Its derivatives are its transpose in x and its transpose in w, whose derivatives are the three
    functions again. A form of a convolution states these three.
    """

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return y, which can be differentiated any number of times."""
        out: Tensor = _Map.apply(self, x, weight)
        return out

    def transposed(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return x of the transpose in x, which can be differentiated any number of times."""
        out: Tensor = _Transpose.apply(self, y, weight)
        return out

    @abstractmethod
    def compute(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return y."""

    @abstractmethod
    def transpose(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of <A(x, w), y> by x."""

    @abstractmethod
    def correlate(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the gradient of <A(x, w), y> by w."""


def _wanted(ctx: Any) -> tuple[bool, bool]:
    """Return which of the two derivatives this backward pass asks for.

    A penalty asks for the gradient of images alone, in a graph in which weights need one too.
    """
    needed = ctx.needs_input_grad[1:]
    first, second = (node for node, _ in ctx.next_functions)
    return needed[0] and _executes(first), needed[1] and _executes(second)


def _executes(node: Any) -> bool:
    """Return whether the pass goes on to a node of the graph."""
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:  # a leaf in autograd.grad, of which PyTorch does not tell
        return True


Gradients = tuple[None, Tensor | None, Tensor | None]


class _Map(Function):
    """A(x, w)."""

    @staticmethod
    def forward(ctx: Any, form: BilinearMap, x: Tensor, weight: Tensor) -> Tensor:
        """Return y."""
        ctx.form = form
        ctx.save_for_backward(x, weight)
        return form.compute(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Return the gradients of x and the weights."""
        x, weight = ctx.saved_tensors
        by_x, by_weight = _wanted(ctx)
        return (
            None,
            _Transpose.apply(ctx.form, gradient, weight) if by_x else None,
            _Correlation.apply(ctx.form, x, gradient) if by_weight else None,
        )


class _Transpose(Function):
    """The transpose of A in x."""

    @staticmethod
    def forward(ctx: Any, form: BilinearMap, y: Tensor, weight: Tensor) -> Tensor:
        """Return x."""
        ctx.form = form
        ctx.save_for_backward(y, weight)
        return form.transpose(y, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Return the gradients of y and the weights."""
        y, weight = ctx.saved_tensors
        by_y, by_weight = _wanted(ctx)
        return (
            None,
            _Map.apply(ctx.form, gradient, weight) if by_y else None,
            _Correlation.apply(ctx.form, gradient, y) if by_weight else None,
        )


class _Correlation(Function):
    """The transpose of A in w."""

    @staticmethod
    def forward(ctx: Any, form: BilinearMap, x: Tensor, y: Tensor) -> Tensor:
        """Return the weights."""
        ctx.form = form
        ctx.save_for_backward(x, y)
        return form.correlate(x, y)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Return the gradients of x and y."""
        x, y = ctx.saved_tensors
        by_x, by_y = _wanted(ctx)
        return (
            None,
            _Transpose.apply(ctx.form, y, gradient) if by_x else None,
            _Map.apply(ctx.form, x, gradient) if by_y else None,
        )


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return the matrix product (N, M) of a, (N, K), and b, (K, M), without a graph.

    In 32 bits oneDNN computes it where torch has it, as it computes torch's convolutions; MKL,
    which computes ``a @ b``, leaves half of the width of an AMD CPU with AVX-512 unused.
    """
    if a.dtype == torch.float32 and _ONEDNN:
        out: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.T, None, "none", [], "")
        return out
    with full_precision(a.device):
        return a @ b


_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")  # torch is built with oneDNN


def image_blocks(x: Tensor, positions: int, block: int) -> Iterator[Tensor]:
    """Yield views (b, H, W, C) of images (B, C, H, W): so many that they have ``block`` positions.

    Args:
        x: images.
        positions: of an image.
        block: positions of a block; an image with more is a block of its own.
    """
    if len(x) > 0:
        yield from torch.split(x.permute(0, 2, 3, 1), max(1, block // positions))


def empty_maps(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return maps (B, C, H, W) in channels_last, to be written, of the type of a tensor."""
    return torch.empty(
        shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last
    )


def pays(x: Tensor, weight: Tensor, least_channels: int, least_pixels: int = 1) -> bool:
    """Return whether products in 32 bits on a CPU are possible, and large enough to pay.

    Args:
        x: maps (B, C, H, W).
        weight: weights (O, I, k, k).
        least_channels: channels from which on they pay.
        least_pixels: of a side from which on they pay.
    """
    return (
        x.is_cpu
        and x.dtype == weight.dtype == torch.float32
        and weight.shape[2:] == (3, 3)
        and min(weight.shape[:2]) >= least_channels
        and min(x.shape[2:]) >= least_pixels
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


class MinimalFiltering(nn.Module):
    """A layer whose convolutions can be computed with fewer multiplications (Winograd, 1980).

    Attributes:
        winograd: compute them so where that pays: in float32 on a CPU, outside autocast, for 3x3
            weights and maps that are large enough. The batch size has no say, so that an image
            does not depend on it.
    """

    winograd: bool = True
