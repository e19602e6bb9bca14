"""Weights by a formula, under the names and in the shapes of published networks."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

ITERATIONS = 5  # of the power method


def wave(shape: Sequence[int], phase: int) -> Tensor:
    """Return numbers in [-1, 1] of a shape."""
    steps = torch.arange(math.prod(shape), dtype=torch.float64)
    angles = 1.7 * steps + 0.9 * phase + 0.01 * steps.square()
    return torch.sin(angles).reshape(tuple(shape))


def latents(dim: int) -> Tensor:
    """Return three latents, (3, dim)."""
    return 1.3 * wave((3, dim), 5)


def _tensor(name: str, shape: Sequence[int], phase: int) -> Tensor:
    """Return a weight, bias or statistic."""
    end, values = name.rpartition(".")[2], wave(shape, phase)
    if end == "num_batches_tracked":
        return torch.zeros((), dtype=torch.int64)
    if end == "resample_filter":
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
        return torch.outer(taps, taps)
    if end == "running_var" or (end == "weight" and len(shape) == 1):
        return 1 + 0.5 * values
    if len(shape) < 2:
        return 0.3 * values
    if name.startswith(("mapping", "synthesis")):
        return values
    return values * math.sqrt(3 / math.prod(shape[1:]))


def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Return a tensor for each name; vectors of spectral norms are those of their weights."""
    names = sorted(shapes)
    found = {name: _tensor(name, shapes[name], k) for k, name in enumerate(names)}
    for name in names:
        if name.endswith("weight_orig"):
            matrix = found[name].flatten(1)
            u = torch.ones(len(matrix), dtype=torch.float64)
            for _ in range(ITERATIONS):
                v = torch.nn.functional.normalize(matrix.T @ u, dim=0)
                u = torch.nn.functional.normalize(matrix @ v, dim=0)
            stem = name.removesuffix("_orig")
            found[f"{stem}_u"], found[f"{stem}_v"] = u, v
    return found
