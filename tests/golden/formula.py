"""Numbers of a formula in the place of random ones, equal in every version of torch."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm

PERIOD = 10007  # a prime
ITERATIONS = 20  # of spectral norms


def integers(shape: Sequence[int], start: int = 0) -> Tensor:
    """Return k^2 mod 10007 for k = start, start + 1, ... in a shape."""
    k = torch.arange(start, start + math.prod(shape))
    return (k * k % PERIOD).view(tuple(shape))


def waves(shape: Sequence[int], start: int = 0) -> Tensor:
    """Return sqrt(2) sin(k^2 mod 10007), of mean square 1, in a shape."""
    return math.sqrt(2) * integers(shape, start).double().sin()


def weight(module: nn.Module, start: Tensor, offset: int) -> Tensor:
    """Return the weight of a module that takes the place of the one that it starts with.

    Args:
        module: whose weight it is.
        start: the weight as it was built. A constant one, and a vector, becomes its mean and a
            tenth of :func:`waves`; another one has the variance 1 / fan-in after the module's gain.
        offset: where the waves begin.
    """
    wave = waves(start.shape, offset)
    if start.dim() < 2:
        return start.mean().round() + 0.1 * wave
    if bool((start == start.flatten()[0]).all()):
        return start + 0.1 * wave
    gain = getattr(module, "gain", 1.0)
    return wave / (math.sqrt(start[0].numel()) * (gain if isinstance(gain, float) else 1.0))


def buffer(name: str, start: Tensor, offset: int) -> Tensor:
    """Return the buffer that takes the place of one, which keeps its value if it is not random."""
    wave = waves(start.shape, offset)
    match name.rpartition(".")[2]:
        case "running_mean" | "w_mean":
            return 0.1 * wave
        case "running_var":
            return 1 + 0.1 * wave
        case "constant":
            return wave
        case "_u" | "_v":
            return torch.nn.functional.normalize(wave, dim=0)
    return start


@torch.no_grad()
def fill(network: nn.Module) -> None:
    """Fill weights and buffers in the order of their names' definition, in place."""
    offset = 0
    for name, start in network.named_parameters():
        owner = network.get_submodule(name.rpartition(".")[0])
        start.copy_(weight(owner, start, offset))
        offset += start.numel()
    for name, value in network.named_buffers():
        value.copy_(buffer(name, value, offset))
        offset += value.numel()
    for module in network.modules():
        if isinstance(module, nn.utils.parametrize.ParametrizationList) and any(
            isinstance(part, _SpectralNorm) for part in module
        ):
            for _ in range(ITERATIONS):
                module()


class Draws:
    """Functions in the place of torch's random ones, each call with numbers of its own."""

    def __init__(self) -> None:
        self.start = 0

    def _next(self, size: tuple[Any, ...], sample: Callable[..., Tensor]) -> Tensor:
        """Return the next numbers, in the shape that a call asks for."""
        shape = size[0] if len(size) == 1 and isinstance(size[0], Sequence) else size
        start, self.start = self.start, self.start + math.prod(shape)
        return sample(shape, start)

    def rand(self, *size: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
        numbers = self._next(size, integers).to(dtype or torch.float64)
        return numbers / PERIOD

    def randn(self, *size: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
        return self._next(size, waves).to(dtype or torch.float64)

    def randint(self, low: int, high: Any, size: Any = None, **_: Any) -> Tensor:
        low, high, size = (0, low, high) if size is None else (low, high, size)
        numbers: Tensor = low + self._next((size,), integers) % (high - low)
        return numbers

    def randperm(self, n: int, **_: Any) -> Tensor:
        return self._next((n,), integers).argsort(stable=True)

    def rand_like(self, like: Tensor) -> Tensor:
        return self.rand(like.shape, dtype=like.dtype)

    def randn_like(self, like: Tensor) -> Tensor:
        return self.randn(like.shape, dtype=like.dtype)


@contextmanager
def fixed_draws() -> Iterator[None]:
    """Let torch's random functions return :class:`Draws` inside the context."""
    draws = Draws()
    names = ("rand", "randn", "randint", "randperm", "rand_like", "randn_like")
    with patch.multiple(torch, **{name: getattr(draws, name) for name in names}):
        yield
