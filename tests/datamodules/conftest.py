from collections.abc import Callable
from typing import Any

import pytest
import torch

from datamodules.base import ImageDataModule
from datamodules.split import Split, TensorSplit

SIZE = 50


class Numbered(ImageDataModule):
    """A data set whose image i has i in its left column, 255 elsewhere, and the label i % 5."""

    name = "numbered"

    def load(self, split: str) -> Split:
        size = {"train": SIZE, "test": 7}[split]
        images = torch.full((size, 1, 4, 4), 255, dtype=torch.uint8)
        images[:, 0, :, 0] = torch.arange(size, dtype=torch.uint8)[:, None]
        return TensorSplit(images, torch.arange(size) % 5)


@pytest.fixture
def numbered() -> Callable[..., Numbered]:
    def build(**changes: Any) -> Numbered:
        facts = {"channels": 1, "resolution": 4, "num_classes": 5, "batch_size": 8, "steps": 20}
        return Numbered(**(facts | changes))

    return build
