from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from gan.algorithms.acgan import ACGAN
from gan.algorithms.ssgan import SSGAN, rotations
from gan.conditioning.auxiliary import Auxiliary
from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.contrastive import Contrastive, ContrastiveHead
from gan.errors import InputError
from gan.metrics.class_accuracy import ClassAccuracy, RotationAccuracy
from tests.algorithms import test_acgan, test_semi_supervised, test_ssgan

NOBODY: Any = None


class Squares:
    """Test images whose labels are those of a function."""

    name, channels, resolution, num_classes = "squares", 1, 8, 3
    splits = ("train", "test")

    def __init__(self, label: Any, split: str = "test") -> None:
        self.images = torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(1))
        self.labels, self.known = label(self.images), split

    def split(self, split: str) -> Any:
        if split != self.known:
            raise ValueError(split)
        return SimpleNamespace(labels=self.labels, __len__=lambda: 30)

    def reals(self, split: str, batch_size: int) -> Any:
        assert split == "test"
        for k in range(0, 30, 10):
            yield self.images[k : k + 10], None if self.labels is None else self.labels[k : k + 10]


def measured(players: Any, label: Any) -> dict[str, float]:
    return ClassAccuracy().measure(players, cast(Any, Squares(label)), NOBODY, 0)


@pytest.mark.parametrize("conditioning", [Auxiliary(3, 4), Contrastive(3, 4, dim=6)])
def test_a_classifier_that_tells_the_labels_has_accuracy_one(conditioning: Conditioning) -> None:
    players = test_acgan.game(conditioning)
    players.train()
    own = measured(players, lambda images: players.classify(images).argmax(1))
    assert own == {"class_accuracy": 1.0}
    assert players.discriminator.training  # as it was
    wrong = measured(players, lambda images: (players.classify(images).argmax(1) + 1) % 3)
    assert wrong == {"class_accuracy": 0.0}

    def mostly(images: Tensor) -> Tensor:
        told = players.classify(images).argmax(1)
        return torch.cat([told[:21], (told[21:] + 1) % 3])

    assert measured(players, mostly)["class_accuracy"] == pytest.approx(0.7)


def test_a_contrastive_discriminator_names_the_nearest_proxy() -> None:
    players = test_acgan.game(Contrastive(3, 4, dim=6))
    head, images = players.discriminator.head, torch.randn(20, 1, 8, 8)
    assert isinstance(head, ContrastiveHead)
    e = head.embed(players.discriminator.features(images))
    angles = torch.cosine_similarity(e[:, None], head.proxy.weight[None], dim=2).arccos()
    assert torch.equal(players.classify(images).argmax(1), angles.argmin(1))


def test_rotations_are_counted_four_times_each() -> None:
    players = test_ssgan.game()
    data = Squares(lambda images: None)
    values = RotationAccuracy().measure(players, cast(Any, data), NOBODY, 0)
    turned, which = rotations(data.images)
    with torch.no_grad():
        told = players.rotation.eval()(players.discriminator.features(turned)).argmax(1)
    assert values["rotation_accuracy"] == pytest.approx(float((told == which).float().mean()))


@pytest.mark.parametrize(
    ("metric", "players", "words"),
    [
        (ClassAccuracy(), test_ssgan.game(), "no classifier"),
        (ClassAccuracy(), test_acgan.game(Auxiliary(4, 4)), "tells 4 classes apart"),
        (RotationAccuracy(), test_acgan.game(Auxiliary(3, 4)), "model=ssgan"),
    ],
)
def test_another_model_is_refused(metric: Any, players: ACGAN | SSGAN, words: str) -> None:
    with pytest.raises(InputError, match=words):
        metric.check(players, cast(Any, Squares(lambda images: torch.zeros(30).long())))


def test_what_has_no_values_is_said() -> None:
    metric, labels = ClassAccuracy(), lambda images: torch.zeros(30).long()
    players, none = test_acgan.game(Auxiliary(3, 4)), lambda images: None
    assert metric.absence(players, cast(Any, Squares(labels))) is None
    metric.check(players, cast(Any, Squares(labels)))
    metric.check(test_semi_supervised.game(), cast(Any, Squares(labels)))
    for data in (Squares(none), Squares(labels, split="train")):
        assert metric.absence(players, cast(Any, data)) == "squares has no labelled test split"
    free = test_acgan.game(Unconditional())
    assert metric.absence(free, cast(Any, Squares(labels))) == "the model is unconditional"
    with pytest.raises(InputError, match="model=acgan"):
        free.classify(torch.zeros(1, 1, 8, 8))
