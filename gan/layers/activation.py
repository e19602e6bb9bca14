"""Leaky ReLU as StyleGAN2 uses it, with what is added before it and the clamp after it."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import leaky_relu, leaky_relu_

SLOPE, GAIN = 0.2, math.sqrt(2)


def clamped(x: Tensor, limit: float | None) -> Tensor:
    """Return x, in [-limit, limit] where there is a limit."""
    return x if limit is None else x.clamp(-limit, limit)


class _Slope(Function):
    """The derivative of the activation, from its output, times a gradient.

    It is linear in the gradient and constant where it is differentiable, so that its own derivative
    is the same product.
    """

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, out: Tensor, limit: float | None) -> Tensor:
        """Return the product."""
        ctx.save_for_backward(out)
        ctx.limit = limit
        product: Tensor = torch.ops.aten.leaky_relu_backward(gradient, out, SLOPE, True)
        product.mul_(GAIN)
        if limit is not None:
            bounds = -limit, limit
            torch.ops.aten.hardtanh_backward.grad_input(product, out, *bounds, grad_input=product)
        return product

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the product with respect to ``gradient``."""
        (out,) = ctx.saved_tensors
        return _Slope.apply(gradient, out, ctx.limit), None, None


class _Activation(Function):
    """The activation, in one new tensor, which alone is kept for the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float | None, *shifts: Tensor) -> Tensor:
        """Return the activation."""
        out = x + shifts[0] if shifts else x.clone()
        for shift in shifts[1:]:
            out.add_(shift)
        leaky_relu_(out, SLOPE).mul_(GAIN)
        if limit is not None:
            out.clamp_(-limit, limit)
        ctx.save_for_backward(out)
        ctx.limit, ctx.shapes = limit, [shift.shape for shift in shifts]
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the input and the shifts."""
        (out,) = ctx.saved_tensors
        product = _Slope.apply(gradient, out, ctx.limit)
        needed = zip(ctx.needs_input_grad[2:], ctx.shapes, strict=True)
        return product, None, *(product.sum_to_size(s) if need else None for need, s in needed)


def scaled_leaky_relu(x: Tensor, limit: float | None = None, *shifts: Tensor) -> Tensor:
    """Return leaky ReLU of x + shifts, times sqrt(2), which keeps the power, in [-limit, limit].

    The slope is 0.2 for negative numbers, and 0 where the limit is reached.

    Args:
        x: feature maps or features.
        limit: positive, or ``None`` for no limit.
        shifts: added to x, such as bias and noise; each broadcasts to the shape of x.
    """
    if torch.compiler.is_compiling():
        return clamped(leaky_relu(sum(shifts, x), SLOPE) * GAIN, limit)
    out: Tensor = _Activation.apply(x, limit, *shifts)
    return out
