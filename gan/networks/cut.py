"""The projections of patches in CUT (Park et al., 2020)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import normalize


class PatchProjector(nn.Module):
    """An MLP of two layers for each of the maps from which patches are taken.

    Args:
        channels: of each map; those of ``ResNetTranslator.taps``.
        dim: size of a projection.
    """

    def __init__(self, channels: Sequence[int], dim: int = 256) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Linear(dim, dim))
            for width in channels
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, maps: Sequence[Tensor], positions: Sequence[Tensor]) -> list[Tensor]:
        """Return projections (B, P, dim) of unit length.

        Args:
            maps: features (B, C, h, w) of each layer.
            positions: numbers of the patches of each layer, (P,), in the rows of h times w.
        """
        return [
            normalize(layer(features.flatten(2)[:, :, chosen].transpose(1, 2)), dim=2)
            for layer, features, chosen in zip(self.layers, maps, positions, strict=True)
        ]
