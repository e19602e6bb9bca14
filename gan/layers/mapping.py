"""From latents or labels to styles."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan.layers.equalised import EqualisedLinear


def normalise_second_moment(x: Tensor) -> Tensor:
    """Return vectors (..., F) scaled to a mean square of 1 (Karras et al., 2018, section 4.2)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-8)


class Mapping(nn.Module):
    """Fully connected layers from normalised vectors to styles (Karras et al., 2019, section 2).

    Args:
        inputs: numbers that come in.
        width: numbers in w, and of every layer.
        layers: how many.
        lr_multiplier: of the learning rate of these layers (appendix C).
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
        """Return w (B, width) from (B, inputs)."""
        w = normalise_second_moment(x)
        for layer in self.layers:
            w = leaky_relu(layer(w), 0.2) * math.sqrt(2)
        return w
