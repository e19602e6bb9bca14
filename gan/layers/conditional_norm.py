"""Batch normalisation whose gain and bias depend on a label or a code."""

import torch
from torch import Tensor, nn


class UnconditionalBatchNorm(nn.Module):
    """Batch normalisation that ignores the label.

    Args:
        channels: channels of the feature maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return x, (B, C, H, W), normalised; y is ignored."""
        normalised: Tensor = self.norm(x)
        return normalised


class ClassConditionalBatchNorm(nn.Module):
    """Batch normalisation with a gain and a bias for each class (Dumoulin et al., 2017).

    Args:
        channels: channels of the feature maps.
        num_classes: number of classes.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Parameter(torch.ones(num_classes, channels))
        self.bias = nn.Parameter(torch.zeros(num_classes, channels))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return x, (B, C, H, W), normalised with the gains and biases of labels y, (B,)."""
        if y is None:
            raise ValueError("a conditional generator needs labels: pass y, (B,) of int64")
        normalised: Tensor = self.norm(x)
        gain, bias = self.gain[y], self.bias[y]
        return torch.addcmul(bias[:, :, None, None], normalised, gain[:, :, None, None])


class CodeConditionalBatchNorm(nn.Module):
    """Batch normalisation whose gain and bias are linear in a code (Brock et al., 2019).

    Args:
        channels: channels of the feature maps.
        code_dim: dimension of the code.
    """

    def __init__(self, channels: int, code_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(code_dim, channels, bias=False)
        self.bias = nn.Linear(code_dim, channels, bias=False)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Return x, (B, C, H, W), normalised with the gains and biases of codes (B, code_dim)."""
        normalised: Tensor = self.norm(x)
        gain, bias = 1 + self.gain(code), self.bias(code)
        return torch.addcmul(bias[:, :, None, None], normalised, gain[:, :, None, None])
