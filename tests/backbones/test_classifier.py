"""The training of classifiers in rounds."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gan.backbones.classifier import Classifier, Training


@pytest.mark.parametrize(
    ("accuracies", "rounds"), [([0.5, 0.7, 0.6], 3), ([0.5, 0.9, 1.0], 2), ([0.91, 0, 0], 1)]
)
def test_rounds_end_with_the_first_that_is_accurate_enough(
    accuracies: list[float], rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []

    def cycle(self: Training, net: Classifier, batches: Any, steps: int) -> float:
        trained.append(steps)
        return accuracies[len(trained) - 1]

    monkeypatch.setattr(Training, "_cycle", cycle)
    net: Any = torch.nn.Linear(1, 1)
    split: Any = SimpleNamespace(labels=torch.arange(3))
    training = Training(rounds=(1, 2, 3), enough=0.9, batch_size=2)
    training.fit(net, split, torch.arange(3), 0, torch.device("cpu"))
    assert trained == [1, 2, 3][:rounds]
    assert not net.training
