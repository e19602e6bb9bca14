"""Maps that are linear in feature maps and in weights, with derivatives of any order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function, forward_ad

from gan.layers.precision import full_precision


class BilinearMap(ABC):
    """y = A(x, w), linear in x and in w.

    Its derivatives are its transpose in x and its transpose in w, whose derivatives are the three
    functions again. A form of a convolution states these three.
    """

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return y, which can be differentiated any number of times."""
        out: Tensor = _Missing.apply(self, 2, x, weight)
        return out

    def transposed(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return x of the transpose in x, which can be differentiated any number of times."""
        out: Tensor = _Missing.apply(self, 0, weight, y)
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


def _wanted(ctx: Any) -> list[bool]:
    """Return which derivatives by the two tensors this backward pass asks for.

    A penalty asks for the gradient of images alone, in a graph in which weights need one too.
    """
    needed = zip(ctx.needs_input_grad[2:], ctx.next_functions, strict=True)
    return [need and _executes(node) for need, (node, _) in needed]


def _executes(node: Any) -> bool:
    """Return whether the pass goes on to a node of the graph."""
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:  # a leaf in autograd.grad, of which PyTorch does not tell
        return True


class _Missing(Function):
    """One of x, w and y, numbers 0, 1 and 2, from the two that follow it in this circle.

    The derivative by either is the same function of the gradient and the other.
    """

    @staticmethod
    def forward(ctx: Any, form: BilinearMap, number: int, first: Tensor, second: Tensor) -> Tensor:
        """Return the one that is missing."""
        ctx.form, ctx.number = form, number
        # in the order of PyTorch's convolutions, for passes that are computed anew
        ctx.save_for_backward(*((second, first) if number == 0 else (first, second)))
        if number == 2:
            return form.compute(first, second)
        return (form.transpose, form.correlate)[number](second, first)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor | None, Tensor | None]:
        """Return the gradients of both."""
        first, second = ctx.saved_tensors[::-1] if ctx.number == 0 else ctx.saved_tensors
        by_first, by_second = _wanted(ctx)
        after, last = (ctx.number + 1) % 3, (ctx.number + 2) % 3
        return (
            None,
            None,
            _Missing.apply(ctx.form, after, second, gradient) if by_first else None,
            _Missing.apply(ctx.form, last, gradient, first) if by_second else None,
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


def is_channels_last(x: Tensor) -> bool:
    """Return whether the channels of a pixel of maps lie side by side, and no others do."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def is_traced() -> bool:
    """Return whether a graph is recorded, or a transform of torch.func or forward mode is at work.

    Functions with a backward pass of their own are unknown to these.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


def add_bias(maps: Tensor, bias: Tensor | None) -> Tensor:
    """Add biases (C,) to new maps (B, C, H, W) in place, and return these."""
    return maps if bias is None else maps.add_(bias[:, None, None])


def in_float32(x: Tensor, weight: Tensor) -> bool:
    """Return whether products of maps and weights are in 32 bits on a CPU, and not traced."""
    return (
        x.is_cpu
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not is_traced()
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
        in_float32(x, weight)
        and weight.shape[2:] == (3, 3)
        and min(weight.shape[:2]) >= least_channels
        and min(x.shape[2:]) >= least_pixels
    )


class MinimalFiltering(nn.Module):
    """A layer whose convolutions can be computed with fewer multiplications (Winograd, 1980).

    Attributes:
        winograd: compute them so where that pays: in float32 on a CPU, outside autocast, for 3x3
            weights and maps that are large enough. The batch size has no say, so that an image
            does not depend on it.
    """

    winograd: bool = True
