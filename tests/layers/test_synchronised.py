"""Batch normalisation over processes against PyTorch's on one."""

import pytest
import torch
from torch import nn

from gan import processes
from gan.layers.synchronised import SynchronisedBatchNorm


@pytest.mark.parametrize("momentum", [0.1, None])
def test_buffers_and_outputs_are_those_of_one_process(
    momentum: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two processes with the same half, the whole batch is that half twice."""
    plain = nn.BatchNorm2d(3, momentum=momentum).double()
    shared = nn.Sequential(nn.BatchNorm2d(3, momentum=momentum).double())
    SynchronisedBatchNorm.convert(shared)
    monkeypatch.setattr(processes, "world_size", lambda: 2)
    monkeypatch.setattr(processes, "mean", lambda values: values)
    for step in range(3):
        half = torch.randn(
            4, 3, 5, 5, generator=torch.Generator().manual_seed(step), dtype=torch.float64
        )
        both = plain(torch.cat([half, half]))
        torch.testing.assert_close(shared(half), both[:4])
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[f"0.{name}"], value)
