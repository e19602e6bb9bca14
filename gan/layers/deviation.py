"""Minibatch standard deviation."""

import torch
from torch import Tensor, nn

from gan.layers.precision import at_least_float32


class MinibatchStdDev(nn.Module):
    """Append the minibatch standard deviation as a channel (Karras et al., 2018, section 3).

    The standard deviation of each feature and position over a group of images is averaged over
    features and positions. This gives one number per group, which fills the new channel. Groups
    lie within the batch of one device: image i with i + n / size and so on, as in StyleGAN2, whose
    code keeps them on a GPU too. Two devices thus form other groups than one.

    Args:
        size: images per group. If it does not divide the batch size, the largest smaller divisor
            is used.
    """

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"minibatch standard deviation: size={size}: give a number from 1")
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, C + 1, H, W) from (B, C, H, W)."""
        size = next(k for k in range(min(self.size, len(x)), 0, -1) if len(x) % k == 0)
        groups = at_least_float32(x.reshape(size, -1, *x.shape[1:]))
        deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        std = deviation.to(x.dtype).repeat(size).view(-1, 1, 1, 1)
        return torch.cat([x, std.expand(-1, 1, *x.shape[2:])], dim=1)
