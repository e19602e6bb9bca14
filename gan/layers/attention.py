"""Self-attention over the positions of feature maps."""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class SelfAttention(nn.Module):
    """Add self-attention to feature maps: x + gamma o(x) (Zhang et al., 2019, eqs. 1 to 3).

    As in the authors' code: keys and values are max-pooled by 2 if the maps are larger than one
    position; queries and keys have C / 8 channels and values C / 2; gamma starts at 0.

    Args:
        channels: C, channels of the feature maps, at least 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.key = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.value = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.out = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps of the shape of x, (B, C, H, W)."""
        query = self.query(x).flatten(2)
        key, value = (self._pooled(part(x)).flatten(2) for part in (self.key, self.value))
        weight = torch.softmax(query.transpose(1, 2) @ key, dim=2)  # (B, positions, pooled)
        attended = (value @ weight.transpose(1, 2)).view(x.shape[0], -1, *x.shape[2:])
        mixed: Tensor = x + self.gamma * self.out(attended)
        return mixed

    @staticmethod
    def _pooled(maps: Tensor) -> Tensor:
        """Return the maps at half the resolution, or unchanged if they have one position."""
        return max_pool2d(maps, 2) if min(maps.shape[2:]) > 1 else maps
