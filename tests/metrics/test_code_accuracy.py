from itertools import permutations
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.code_accuracy import CodeAccuracy, assignment_accuracy
from tests.algorithms.test_infogan import CODES, game


def test_the_assignment_is_the_best_of_all() -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (200,), generator=random)
    noise = torch.randint(4, (200,), generator=random)
    relabelled = torch.tensor([2, 0, 3, 1])[labels]
    codes = torch.where(torch.rand(200, generator=random) < 0.6, relabelled, noise)
    best = max(
        float((torch.tensor(order)[codes] == labels).float().mean())
        for order in permutations(range(4))
    )
    assert assignment_accuracy(codes, labels, 4) == pytest.approx(best)
    assert assignment_accuracy(relabelled, labels, 4) == 1.0
    assert assignment_accuracy(torch.zeros_like(labels), labels, 4) == pytest.approx(
        float(torch.bincount(labels).max()) / 200
    )


class Patches:
    """Images of 3 classes that Q of the game infers by construction."""

    name, channels, resolution, num_classes = "patches", 1, 8, 3

    def __init__(self, num_classes: int = 3) -> None:
        self.num_classes = num_classes

    def reals(self, split: str, batch_size: int) -> Any:
        assert split == "test"
        images = torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(1))
        for start in range(0, 30, 10):
            part = images[start : start + 10]
            yield part, self.classes(part)

    def classes(self, images: torch.Tensor) -> torch.Tensor:
        players = game().eval()
        with torch.no_grad():
            (logits, _), _ = players.posterior(players.discriminator.features(images))
        return torch.tensor([1, 2, 0])[logits.argmax(1)]


def dataset(patches: Patches) -> ImageDataset:
    return cast(ImageDataset, patches)


class Eyes:
    """A backbone that predicts the code of a generated image."""

    def __init__(self, predicts_labels: bool) -> None:
        self.predicts_labels = predicts_labels
        players = game()
        z = players.prior.sample_each(7, range(150))
        self.images, (codes, *_) = players.decode(z), players.prior.split(z)[1]
        self.classes = torch.tensor([2, 0, 1])[codes.argmax(1)]

    def __call__(self, images: torch.Tensor) -> Any:
        nearest = torch.cdist(images.flatten(1), self.images.flatten(1)).argmin(1)
        seen = self.classes[nearest].clone()
        seen[::5] = 0  # wrong in two of three
        return SimpleNamespace(logits=torch.eye(3)[seen])


def test_a_code_that_equals_the_class_has_accuracy_one() -> None:
    measured = CodeAccuracy().measure(
        game().eval(), dataset(Patches()), cast(Any, Eyes(False)), seed=0
    )
    assert measured == {"code_accuracy": 1.0}


def test_the_consistency_is_that_of_the_predicted_classes() -> None:
    eyes = Eyes(True)
    measured = CodeAccuracy(150).measure(game().eval(), dataset(Patches()), cast(Any, eyes), seed=7)
    wrong = int((eyes.classes[::5] != 0).sum())
    assert wrong > 10
    assert measured["code_consistency"] == pytest.approx(1 - wrong / 150)


def test_codes_that_do_not_count_the_classes_are_refused() -> None:
    assert CODES(12).categories == (3, 4)
    CodeAccuracy().check(game(), dataset(Patches()))
    with pytest.raises(InputError, match=r"prior\.categories=\[5\]"):
        CodeAccuracy().check(game(), dataset(Patches(5)))
