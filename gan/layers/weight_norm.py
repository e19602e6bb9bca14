"""Weight normalisation and its initialisation from data (Salimans & Kingma, 2016)."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan import processes
from gan.layers.precision import at_least_float32, full_precision

_SMALLEST = 1e-8  # standard deviation that is divided by


class WeightNorm(nn.Module):
    """The parametrization w = g v / |v| of the weights v of each unit, their eq. 2.

    Args:
        units: number of units.
        dim: dimension of v that counts them.
        learned: whether g is a parameter; otherwise, only the initialisation changes it.
        std: standard deviation of the outputs after :func:`initialize_from_data`; with ``None`` it
            leaves the layer as it is.

    Attributes:
        g: norm of the weights of each unit, (units,).
    """

    g: Tensor

    def __init__(self, units: int, dim: int, learned: bool, std: float | None) -> None:
        super().__init__()
        self.dim, self.std = dim, std
        if learned:
            self.g = nn.Parameter(torch.ones(units))
        else:
            self.register_buffer("g", torch.ones(units))

    def forward(self, v: Tensor) -> Tensor:
        """Return the weights, in the shape of v."""
        others = [axis for axis in range(v.dim()) if axis != self.dim]
        shape = [-1 if axis == self.dim else 1 for axis in range(v.dim())]
        norm = torch.linalg.vector_norm(v, dim=others, keepdim=True)
        weights: Tensor = v * (self.g.view(shape) / norm)
        return weights


def weight_norm(layer: nn.Module, learned: bool = False, std: float | None = 1.0) -> nn.Module:
    """Return a linear or convolution layer with normalised weights, changed in place; biases are 0.

    Args:
        layer: with ``weight`` and ``bias``.
        learned: see :class:`WeightNorm`; in the code of Salimans et al., 2016, g is learned in the
            last layers alone.
        std: see :class:`WeightNorm`.
    """
    weight, dim = layer.weight, int(isinstance(layer, nn.ConvTranspose2d))
    assert isinstance(weight, Tensor)
    assert isinstance(layer.bias, Tensor)
    nn.init.normal_(weight, std=0.05)
    nn.init.zeros_(layer.bias)
    parametrization = WeightNorm(weight.shape[dim], dim, learned, std)
    return parametrize.register_parametrization(layer, "weight", parametrization)


class _Standardisation:
    """A forward hook that initialises a layer from its outputs.

    Args:
        norm: of the layer.
        std: standard deviation of each unit afterwards.
    """

    def __init__(self, norm: WeightNorm, std: float) -> None:
        self.norm, self.std = norm, std

    def __call__(self, layer: nn.Module, _: object, outputs: Tensor) -> Tensor:
        """Set g and bias of a layer, and return its outputs, (B, units, ...), under these."""
        axes = [axis for axis in range(outputs.dim()) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(outputs.dim())]
        mean = processes.mean(outputs.mean(axes))
        variance = processes.mean((outputs - mean.view(shape)).square().mean(axes))
        factor = self.std / variance.sqrt().clamp(min=_SMALLEST)
        assert isinstance(layer.bias, Tensor)
        self.norm.g.mul_(factor)
        layer.bias.sub_(mean).mul_(factor)
        return (outputs - mean.view(shape)) * factor.view(shape)


def _initialised(network: nn.Module) -> Iterator[tuple[nn.Module, _Standardisation]]:
    """Yield the layers that are initialised from data, each with what does so."""
    for layer in network.modules():
        if parametrize.is_parametrized(layer, "weight"):
            (norm, *_) = layer.parametrizations.weight  # type: ignore[union-attr, misc]
            if isinstance(norm, WeightNorm) and norm.std is not None:
                yield layer, _Standardisation(norm, norm.std)


@torch.no_grad()
def initialize_from_data(network: nn.Module, inputs: Tensor) -> None:
    """Set g and biases so that each unit has mean 0 and one deviation on some inputs, their eq. 6.

    Layers are set in the order in which they are computed, each on the outputs of those before.
    Mean and deviation are over inputs and pixels, of all processes.

    Args:
        network: of which layers with :func:`weight_norm` are set.
        inputs: of the network, (B, ...).
    """
    handles = [layer.register_forward_hook(hook) for layer, hook in _initialised(network)]
    try:
        if handles:
            with full_precision(inputs.device):
                network(at_least_float32(inputs))
    finally:
        for handle in handles:
            handle.remove()
