"""Batches on the training device."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from datamodules.loader import to_device


@pytest.mark.parametrize(
    ("kind", "on_gpu", "pinned"),
    [("cuda", False, True), ("cuda", True, False), ("cpu", False, False)],
)
def test_copies_to_a_gpu_are_asynchronous_from_pinned_memory(
    kind: str, on_gpu: bool, pinned: bool
) -> None:
    seen: list[Any] = []

    def stand_in(memory: str) -> Any:
        return SimpleNamespace(
            is_cuda=on_gpu,
            pin_memory=lambda: stand_in("pinned"),
            to=lambda device, non_blocking: seen.append((memory, device, non_blocking)),
        )

    device = torch.device(kind)
    to_device(stand_in("plain"), device)
    assert seen == [("pinned" if pinned else "plain", device, True)]
