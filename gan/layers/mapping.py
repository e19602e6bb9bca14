"""The mapping network of StyleGAN."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan.layers.equalised import EqualisedLinear


def normalise_second_moment(x: Tensor) -> Tensor:
    """Return vectors (..., F) scaled to a mean square of 1 (Karras et al., 2018, section 4.2)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-8)


class Mapping(nn.Module):
    """A fully connected network from normalised inputs to w (Karras et al., 2019, section 2).

    Args:
        inputs: size of the input.
        width: size of w and of each hidden layer.
        layers: number of layers.
        lr_multiplier: multiplier of the learning rate of these layers (appendix C).
    """

    def __init__(
        self, inputs: int, width: int, layers: int = 8, lr_multiplier: float = 0.01
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EqualisedLinear(width if layer else inputs, width, lr_multiplier=lr_multiplier)
            for layer in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return styles w, (B, width), from inputs (B, inputs)."""
        w = normalise_second_moment(x)
        for layer in self.layers:
            w = leaky_relu(layer(w), 0.2) * math.sqrt(2)
        return w
