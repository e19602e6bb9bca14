from dataclasses import replace

import pytest
import torch

from gan.algorithms.latent import LatentGame
from gan.backbones.classifier import Training
from gan.errors import InputError
from gan.metrics.augmentation_score import AugmentationScore
from gan.metrics.classification_accuracy import ClassificationAccuracy
from gan.metrics.labelled_images import generate, train_test
from tests.metrics.generators import (
    CollapsedGenerator,
    LinearGenerator,
    NextClassGenerator,
    RandomClassGenerator,
    StripeGenerator,
    game_of,
    stripe_game,
)
from tests.metrics.tiny_data import Corners, TinyDataset, TinySplit, tiny_dataset

SHORT = Training(rounds=(40,), batch_size=32)


def cas(
    game: LatentGame, dataset: TinyDataset, seed: int = 0, training: Training = SHORT
) -> dict[str, float]:
    metric = ClassificationAccuracy(training=training)
    metric.check(game, dataset)
    return metric.measure(game, dataset, Corners(), seed)


def test_a_model_of_the_right_classes_is_as_good_as_real_images(dataset: TinyDataset) -> None:
    values = cas(stripe_game(StripeGenerator()), dataset)
    assert values.keys() == {"cas", "cas_reverse", "cas_real"}
    assert min(values.values()) > 0.9


def test_a_model_of_random_classes_trains_at_chance(dataset: TinyDataset) -> None:
    values = cas(stripe_game(RandomClassGenerator()), dataset)
    assert values["cas"] < 0.6
    assert values["cas_reverse"] == pytest.approx(1 / 3, abs=0.12)
    assert values["cas_real"] > 0.9


def test_a_model_of_swapped_classes_trains_below_chance(dataset: TinyDataset) -> None:
    values = cas(stripe_game(NextClassGenerator()), dataset)
    assert max(values["cas"], values["cas_reverse"]) < 0.1
    assert values["cas_real"] > 0.9


def test_one_good_image_a_class_is_always_recognised(dataset: TinyDataset) -> None:
    assert cas(stripe_game(CollapsedGenerator()), dataset)["cas_reverse"] == 1


def test_all_randomness_comes_from_the_seed(dataset: TinyDataset) -> None:
    game, before, few = (
        stripe_game(RandomClassGenerator()),
        torch.get_rng_state(),
        replace(SHORT, rounds=(5,)),
    )
    first = cas(game, dataset, 3, few)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    assert cas(game, dataset, 3, few) == first
    assert cas(game, dataset, 4, few) != first


def test_fakes_have_the_given_labels_and_8_bits() -> None:
    game, labels = stripe_game(StripeGenerator()), torch.tensor([2, 0, 1] * 50)
    part = generate(game, labels, seed=1)
    assert torch.equal(part.labels, labels)
    pixels = part.split.images(part.indices)
    assert pixels.dtype == torch.uint8
    z = game.prior.sample_each(1, range(150)).view(-1, 1, 8, 8)
    expected = (z[labels == 2] + 1) * 49.5 + 150
    assert (pixels[labels == 2].float() - expected).abs().max() < 0.51


def test_a_tenth_is_held_out_without_a_test_split(dataset: TinyDataset) -> None:
    train, test = train_test(dataset, seed=0)
    assert (len(train.indices), len(test.indices)) == (200, 100)
    assert test.split is dataset.split("test")
    del dataset.splits["test"]
    train, test = train_test(dataset, seed=0)
    assert (len(train.indices), len(test.indices)) == (180, 20)
    assert torch.equal(torch.cat([train.indices, test.indices]).sort().values, torch.arange(200))
    assert cas(stripe_game(StripeGenerator()), dataset)["cas_real"] > 0.8


def test_as_many_fakes_as_reals_of_the_same_classes(
    dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    fit = Training.fit

    def recorded(self: Training, net: object, split: TinySplit, indices: torch.Tensor, *_: object):  # type: ignore[no-untyped-def]
        assert split.labels is not None
        seen.append(split.labels[indices])
        fit(self, net, split, indices, *_)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "fit", recorded)
    metric = ClassificationAccuracy(images=50, training=SHORT)
    metric.measure(stripe_game(StripeGenerator()), dataset, Corners(), 0)
    fakes, reals = seen
    assert len(fakes) == 50
    assert torch.equal(fakes, reals)


def test_fakes_add_accuracy_and_wrong_ones_do_not() -> None:
    dataset = tiny_dataset()
    metric = AugmentationScore(reals=3, generated=150, training=SHORT)
    metric.check(stripe_game(StripeGenerator()), dataset)
    good = metric.measure(stripe_game(StripeGenerator()), dataset, Corners(), 0)
    assert good.keys() == {"augmentation/real", "augmentation/both", "augmentation/gain"}
    assert good["augmentation/both"] > 0.9 > good["augmentation/real"]
    gain = good["augmentation/both"] - good["augmentation/real"]
    assert good["augmentation/gain"] == pytest.approx(gain)
    bad = metric.measure(stripe_game(RandomClassGenerator()), dataset, Corners(), 0)
    assert bad["augmentation/real"] == good["augmentation/real"]
    assert bad["augmentation/gain"] < good["augmentation/gain"] / 2


def test_settings_are_stamped() -> None:
    assert ClassificationAccuracy().stamp() != ClassificationAccuracy(images=10).stamp()
    assert ClassificationAccuracy().stamp() != ClassificationAccuracy(training=SHORT).stamp()
    listed = Training(rounds=[40], batch_size=32)  # type: ignore[arg-type]
    assert ClassificationAccuracy(training=listed).stamp() == (
        ClassificationAccuracy(training=SHORT).stamp()
    )
    assert AugmentationScore().stamp() != AugmentationScore(reals=10).stamp()
    assert AugmentationScore().stamp() != AugmentationScore(generated=10).stamp()
    assert not ClassificationAccuracy().stamp().keys() & AugmentationScore().stamp().keys()


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (ClassificationAccuracy(images=201), ["cas.images=201", "1 to 200"]),
        (ClassificationAccuracy(images=0), ["cas.images=0"]),
        (AugmentationScore(reals=201), ["augmentation.reals=201"]),
    ],
)
def test_more_images_than_there_are(
    metric: ClassificationAccuracy, words: list[str], dataset: TinyDataset
) -> None:
    with pytest.raises(InputError) as caught:
        metric.check(stripe_game(StripeGenerator()), dataset)
    assert all(word in str(caught.value) for word in words)


def test_models_and_data_without_classes_are_refused(dataset: TinyDataset) -> None:
    class Blank(StripeGenerator):
        num_classes = 0

        def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(z, torch.zeros(len(z), dtype=torch.int64))

    class Many(StripeGenerator):
        num_classes = 4

    metric = ClassificationAccuracy()
    with pytest.raises(InputError, match=r"class-conditional model.*conditioning=projection.*cas"):
        metric.check(stripe_game(Blank()), dataset)
    with pytest.raises(InputError, match="has 4 classes and tiny has 3"):
        metric.check(stripe_game(Many()), dataset)
    unlabelled = replace(dataset, splits={"train": TinySplit(dataset.split("train").pixels, None)})
    with pytest.raises(InputError, match="labelled data and tiny has no labels"):
        metric.check(stripe_game(StripeGenerator()), unlabelled)


def test_images_of_another_shape_are_refused(dataset: TinyDataset) -> None:
    with pytest.raises(InputError, match=r"\(1, 8, 8\) and tiny is \(3, 8, 8\)"):
        ClassificationAccuracy().check(stripe_game(StripeGenerator()), tiny_dataset(channels=3))
    point = replace(dataset, resolution=1)
    with pytest.raises(InputError, match="cas needs images of 8x8 pixels"):
        ClassificationAccuracy().check(game_of(LinearGenerator(torch.eye(2))), point)


def test_rounds_that_end_early_are_refused() -> None:
    with pytest.raises(InputError, match=r"cas\.training\.rounds=\[150, 600\]"):
        ClassificationAccuracy(training=Training(rounds=(150, 600)))
    with pytest.raises(InputError, match=r"augmentation\.generated=0"):
        AugmentationScore(generated=0)


def test_classifiers_of_real_images_are_trained_once_a_seed(
    dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def count(
        self: Training, net: object, split: TinySplit, indices: torch.Tensor, *_: object
    ) -> None:
        counts.append(len(indices))

    monkeypatch.setattr(Training, "fit", count)
    metric = ClassificationAccuracy(training=Training(rounds=(5,), batch_size=32))
    for seed in (0, 1, 0, 1):
        metric.measure(stripe_game(StripeGenerator()), dataset, Corners(), seed)
    assert counts == [5 * 32] * 6  # no more images than a training takes
