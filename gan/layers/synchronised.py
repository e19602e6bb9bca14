"""Batch normalisation synchronised over processes."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan import processes


class SynchronisedBatchNorm(_BatchNorm):
    """Batch normalisation with the statistics of the whole batch over all processes.

    ``torch.nn.SyncBatchNorm`` does the same, but on GPUs only. Each process must hold the same
    number of images. The running variance is the unbiased variance of the whole batch, as in a
    single process.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    @classmethod
    def convert(cls, network: nn.Module) -> None:
        """Change the class of the batch normalisation layers of ``network``, in place."""
        for module in network.modules():
            if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d):
                module.__class__ = cls

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Accept inputs of shape (B, C) and (B, C, ...)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Return the normalised input (B, C, ...)."""
        if not self.training or processes.world_size() == 1:
            return super().forward(input)
        x = input.to(self.running_mean.dtype)
        shape = [1, -1, *[1] * (x.dim() - 2)]
        others = [d for d in range(x.dim()) if d != 1]
        mean = processes.mean(x.mean(others))
        centred = x - mean.view(shape)
        variance = processes.mean(centred.square().mean(others))
        if self.track_running_stats:
            self._update_running_stats(
                mean, variance, x.numel() // x.shape[1] * processes.world_size()
            )
        y = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            y = torch.addcmul(self.bias.view(shape), y, self.weight.view(shape))
        return y.to(input.dtype)

    @torch.no_grad()
    def _update_running_stats(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics from a batch with ``count`` values per channel."""
        self.num_batches_tracked += 1
        rate = self.momentum if self.momentum is not None else 1 / int(self.num_batches_tracked)
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), rate)
