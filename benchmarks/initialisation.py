"""Which published form the weights of an untrained network start in."""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

_SURE = 4.0  # standard errors of a measured deviation
_FLAT = 1.8  # largest |w| in deviations below which weights are uniform: sqrt(3), a normal has more
Deviation = Callable[[int, int], float]  # of weights with so many inputs and outputs

_UNIFORM: dict[str, Deviation] = {
    "Xavier uniform": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "Xavier uniform of gain sqrt 2": lambda fan_in, fan_out: (4 / (fan_in + fan_out)) ** 0.5,
    "PyTorch's": lambda fan_in, fan_out: (1 / (3 * fan_in)) ** 0.5,
}
_NORMAL: dict[str, Deviation] = {
    "N(0, 0.02)": lambda fan_in, fan_out: 0.02,
    "N(0, 0.05)": lambda fan_in, fan_out: 0.05,
    "N(0, 1)": lambda fan_in, fan_out: 1.0,
    "N(0, 100)": lambda fan_in, fan_out: 100.0,  # N(0, 1) over a rate of 0.01, of mapping networks
}


def form(weight: Tensor) -> str:
    """Return the form of one weight matrix or kernel.

    Args:
        weight: of a linear or convolution layer, outputs first.
    """
    matrix = weight.detach().flatten(1).double()
    if _is_orthogonal(matrix):
        return "orthogonal"
    deviation = float(matrix.square().mean().sqrt())
    flat = float(matrix.abs().max()) < _FLAT * deviation
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(weight)
    spread = _SURE / (2 * matrix.numel()) ** 0.5
    for name, expected in (_UNIFORM if flat else _NORMAL).items():
        if abs(deviation / expected(fan_in, fan_out) - 1) < spread:
            return name
    return "uniform" if flat else "normal, by the number of inputs"


def _is_orthogonal(matrix: Tensor) -> bool:
    """Return whether the rows, or the columns, are orthonormal."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    return bool((wide @ wide.T - torch.eye(len(wide))).abs().max() < 1e-4)


def initialisation(network: nn.Module) -> str:
    """Return the forms of an untrained network, each of a tenth of its weights or more.

    Embeddings do not count.
    """
    embeddings = [m for m in network.modules() if isinstance(m, nn.Embedding)]
    left_out = {id(weight) for layer in embeddings for weight in layer.parameters()}
    found = Counter[str]()
    for weight in network.parameters():
        if weight.dim() in (2, 4) and id(weight) not in left_out:
            found[form(weight)] += weight.numel()
    return ", ".join(sorted(name for name, count in found.items() if count > found.total() / 10))
