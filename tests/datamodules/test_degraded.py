from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.degradations.base import Degradation
from datamodules.degradations.denoise import Denoise
from datamodules.degradations.superresolve import Superresolve
from datamodules.degraded import Sources
from datamodules.digits import Digits
from tests.datamodules.test_image_datamodule import process

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


class Keyed(Degradation):
    """A degradation that keeps the keys of its sources.

    Args:
        keys: that it was given.
    """

    name = "keyed"

    def __init__(self, keys: list[tuple[int, ...]]) -> None:
        self.keys = keys

    def __call__(self, images: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        self.keys += keys
        return images


def test_no_two_sources_have_one_key(numbered: Callable[..., ImageDataModule]) -> None:
    """Of any seed, step, turn, process and row; nor do those that are measured."""
    keys: list[tuple[int, ...]] = []
    for seed in (0, 1):
        for rank in (0, 1):
            module = numbered(seed=seed, steps=5, n_critic=2, task=Keyed(keys))
            assert len([*process(module, rank, 2).train_dataloader()]) == 5
    module.domains["a"].batch("train", torch.arange(50))
    assert len(set(keys)) == len(keys) == 2 * 5 * 2 * 8 + 50
