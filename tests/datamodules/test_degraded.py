from typing import Any

import pytest
import torch

from datamodules.degradations.denoise import Denoise
from datamodules.degradations.superresolve import Superresolve
from datamodules.degraded import Sources
from datamodules.digits import Digits

SHAPE: dict[str, Any] = {"channels": 1, "resolution": 16, "num_classes": 10, "batch_size": 8}


@pytest.mark.parametrize("task", [Denoise(0.5), Superresolve(2)], ids=lambda task: task.name)
def test_sources_are_the_same_however_they_are_read(task: Denoise | Superresolve) -> None:
    data = Digits(**SHAPE, task=task)
    sources = data.domains["a"]
    assert isinstance(sources, Sources)
    images, labels = sources.batch("test", torch.arange(20))
    read = [*sources.reals("test", 7)]
    assert torch.equal(torch.cat([batch for batch, _ in read])[:20], images)
    assert labels is not None
    assert torch.equal(labels, data.split("test").labels[:20])  # type: ignore[index]
    clean, _ = data.batch("test", torch.arange(20))
    exact = task(clean, [(0, k) for k in range(20)])
    assert (images - exact).abs().max() <= 0.5 / 127.5 + 1e-6
    assert images.shape[-1] == sources.resolution == 16 // task.scale
    assert torch.equal(
        sources.split("test").images(torch.tensor([3, 1])).float() / 127.5 - 1, images[[3, 1]]
    )


def test_statistics_of_sources_are_not_those_of_images() -> None:
    prints = {
        Digits(**SHAPE, task=task).domains["a"].fingerprint("train")
        for task in (Denoise(0.5), Denoise(0.4), Superresolve(2))
    }
    assert len(prints | {Digits(**SHAPE).fingerprint("train")}) == 4
