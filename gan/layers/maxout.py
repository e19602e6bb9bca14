"""Maxout units."""

from torch import Tensor, nn


class Maxout(nn.Module):
    """Units that return the maximum of affine functions (Goodfellow et al., 2013, eq. 1).

    Args:
        in_features: size of the input.
        units: number of maxout units.
        pieces: affine functions per unit.
    """

    def __init__(self, in_features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(in_features, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, units) from (B, in_features)."""
        pieces: Tensor = self.linear(x).unflatten(1, (-1, self.pieces))
        return pieces.amax(dim=2)
