"""How varied a batch is, told to the discriminator."""

import torch
from torch import Tensor, nn

from gan.layers.precision import at_least_float32


class MinibatchStdDev(nn.Module):
    """Feature maps beside the mean standard deviation over a group of images.

    The deviation of each feature and position over the group, averaged over features and
    positions, is one number a group; it is put into every position as a further channel. Groups are
    of a device's batch, image i with i + n / size and so on (Karras et al., 2018, section 3; groups
    as in StyleGAN2).

    Args:
        size: images of a group; where it does not divide the batch, the largest smaller number
            that does.
    """

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"minibatch deviation: size={size}: give a number from 1")
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, C + 1, H, W) from (B, C, H, W)."""
        size = next(k for k in range(min(self.size, len(x)), 0, -1) if len(x) % k == 0)
        groups = at_least_float32(x.reshape(size, -1, *x.shape[1:]))
        deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        spread = deviation.to(x.dtype).repeat(size).view(-1, 1, 1, 1)
        return torch.cat([x, spread.expand(-1, 1, *x.shape[2:])], dim=1)
