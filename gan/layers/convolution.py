"""Convolutions whose derivatives of any order are convolutions of the same three kinds.

PyTorch differentiates a convolution's backward pass by a convolution with maps for kernels, group
by group. As a bilinear map, it needs no more than the backward pass itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from gan.layers.bilinear import BilinearMap, add_bias, empty_maps, is_channels_last, is_traced
from gan.layers.precision import full_precision

Pair = int | Sequence[int]
convolution_backward = torch.ops.aten.convolution_backward


def _pair(value: Pair) -> tuple[int, ...]:
    """Return a number for each direction; PyTorch takes one number for both, or one in a list."""
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    return values * 2 if len(values) == 1 else values


@dataclass(frozen=True)
class Convolution(BilinearMap):
    """A convolution of maps (B, I, H, W) with weights (O, I / groups, k, k).

    Attributes:
        maps: shape of the maps.
        weights: shape of the weights.
        settings: stride, padding, dilation and groups, as of ``conv2d``.
    """

    maps: tuple[int, ...]
    weights: tuple[int, ...]
    settings: tuple[Pair, Pair, Pair, int]

    def compute(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return maps (B, O, H', W')."""
        return conv2d(x, weight, None, *self.settings)

    def transpose(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return maps (B, I, H, W) of y, (B, O, H', W')."""
        like = empty_maps(self.maps, y) if is_channels_last(y) else y.new_empty(1).expand(self.maps)
        return self._backward(y, like, weight, 0)

    def correlate(self, x: Tensor, y: Tensor) -> Tensor:
        """Return weights of x, (B, I, H, W), and y, (B, O, H', W')."""
        return self._backward(y, x, y.new_empty(1).expand(self.weights), 1)

    def _backward(self, y: Tensor, x: Tensor, weight: Tensor, number: int) -> Tensor:
        """Return the gradient of maps or weights, numbers 0 and 1, from y, that of the output.

        Of the one that is asked for, shape and layout count.
        """
        stride, padding, dilation = map(_pair, self.settings[:3])
        geometry = stride, padding, dilation, False, (0, 0), self.settings[3]
        mask = number == 0, number == 1, False
        gradient: Tensor = convolution_backward(y, x, weight, None, *geometry, mask)[number]
        return gradient


def bilinear_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Return what ``conv2d`` returns; x is its ``input``, and no padding is a name."""
    form = Convolution(x.shape, weight.shape, (stride, padding, dilation, groups))
    return add_bias(form(x, weight), bias)


def bilinear_conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Tensor:
    """Return what ``conv_transpose2d`` returns; x is its ``input``."""
    pairs = map(_pair, (stride, padding, output_padding, dilation))
    sides = zip(x.shape[2:], weight.shape[2:], *pairs, strict=True)
    after = [(n - 1) * s - 2 * p + rest + d * (k - 1) + 1 for n, k, s, p, rest, d in sides]
    maps = len(x), weight.shape[1] * groups, *after
    form = Convolution(maps, weight.shape, (stride, padding, dilation, groups))
    return add_bias(form.transposed(x, weight), bias)


_FORMS: dict[Any, Callable[..., Tensor]] = {
    conv2d: bilinear_conv2d,
    conv_transpose2d: bilinear_conv_transpose2d,
}


def _is_bilinear(x: Tensor, weight: Tensor, *settings: Any) -> bool:
    """Return whether x are batches of real maps, with gradients, and no padding is a name."""
    named = any(isinstance(value, str) for value in settings)
    real = x.is_floating_point() and weight.is_floating_point()
    return torch.is_grad_enabled() and x.dim() == 4 and real and not named and not is_traced()


class BilinearConvolutions(TorchFunctionMode):
    """A context in which convolutions of two dimensions are bilinear maps."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Return what ``func`` returns."""
        form = _FORMS.get(func)
        if form is None:
            return func(*args, **(kwargs or {}))
        given = dict(kwargs or {})
        if "input" in given:
            args = given.pop("input"), *args
        if "weight" in given:
            args = args[0], given.pop("weight"), *args[1:]
        chosen = form if _is_bilinear(*args, *given.values()) else func
        return chosen(*args, **given)


def same_convolutions() -> AbstractContextManager[Any]:
    """Return a context in which convolutions are computed as they are now, in this thread."""
    modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
    inside = any(isinstance(mode, BilinearConvolutions) for mode in modes)
    return BilinearConvolutions() if inside else nullcontext()


@contextmanager
def twice_differentiable(device: torch.device) -> Iterator[None]:
    """Compute inside the context without autocast and without compiled functions.

    PyTorch does not differentiate a compiled function twice. Convolutions are bilinear maps.
    """
    with (
        full_precision(device),
        torch.compiler.set_stance("force_eager"),
        BilinearConvolutions(),
    ):
        yield
