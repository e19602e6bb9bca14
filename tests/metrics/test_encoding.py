from typing import Any, cast

import pytest
import torch

from gan.backbones.base import Backbone
from gan.errors import InputError
from gan.metrics.encoding import EncodingAccuracy
from gan.metrics.probes import accuracies
from tests.algorithms import test_bigan
from tests.algorithms.test_infogan import game as infogan


class Bright:
    """Images of two classes, dark and bright."""

    name, channels, resolution, num_classes = "bright", 1, 8, 2

    def reals(self, split: str, batch_size: int) -> Any:
        labels = torch.arange(12) % 2
        noise = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(len(split)))
        yield noise * 0.2 + labels.view(-1, 1, 1, 1) - 0.6, labels

    def split(self, split: str) -> None:
        """Have every split."""


def test_the_accuracies_are_those_of_encoded_splits() -> None:
    players, data = test_bigan.game(), Bright()
    values = EncodingAccuracy().measure(players, cast(Any, data), cast(Backbone, None), seed=0)
    given: list[torch.Tensor] = []
    for split in ("train", "test"):
        for images, labels in data.reals(split, 100):
            given += [players.encode(images), labels]
    assert values == accuracies(*given)
    assert values["nearest_neighbour"] == 1.0


def test_what_cannot_be_measured() -> None:
    players, metric, data = test_bigan.game(), EncodingAccuracy(), Bright()
    metric.check(players, cast(Any, data))
    metric.check(infogan(), cast(Any, data))
    data.num_classes = 0
    with pytest.raises(InputError, match="no labels"):
        metric.check(players, cast(Any, data))
