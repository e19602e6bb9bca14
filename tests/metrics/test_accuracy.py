from dataclasses import replace

import pytest
import torch

from gan.algorithms.latent import LatentGame
from gan.backbones.classifier import Training
from gan.errors import InputError
from gan.metrics.accuracy import Augmentation, ClassificationAccuracy, drawn, halves
from tests.metrics.painters import Linear, Muddler, Painter, Parrot, Swapper, painting, players
from tests.metrics.tiny import Corners, TinySource, TinySplit, tiny_source

SHORT = Training(rounds=(40,), batch_size=32)


def cas(
    game: LatentGame, source: TinySource, seed: int = 0, training: Training = SHORT
) -> dict[str, float]:
    probe = ClassificationAccuracy(training=training)
    probe.check(game, source)
    return probe.measure(game, source, Corners(), seed)


def test_a_model_that_draws_the_classes_right_is_as_good_as_reals(source: TinySource) -> None:
    values = cas(painting(Painter()), source)
    assert values.keys() == {"cas", "cas_reverse", "cas_real"}
    assert min(values.values()) > 0.9


def test_a_model_that_draws_any_class_teaches_nothing(source: TinySource) -> None:
    values = cas(painting(Muddler()), source)
    assert values["cas"] < 0.6
    assert values["cas_reverse"] == pytest.approx(1 / 3, abs=0.12)
    assert values["cas_real"] > 0.9


def test_a_model_that_swaps_the_classes_teaches_them_wrongly(source: TinySource) -> None:
    values = cas(painting(Swapper()), source)
    assert max(values["cas"], values["cas_reverse"]) < 0.1
    assert values["cas_real"] > 0.9


def test_one_good_image_a_class_is_always_recognised(source: TinySource) -> None:
    assert cas(painting(Parrot()), source)["cas_reverse"] == 1


def test_all_randomness_comes_from_the_seed(source: TinySource) -> None:
    game, before, few = painting(Muddler()), torch.get_rng_state(), replace(SHORT, rounds=(5,))
    first = cas(game, source, 3, few)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    assert cas(game, source, 3, few) == first
    assert cas(game, source, 4, few) != first


def test_fakes_have_the_labels_that_were_asked_for_and_8_bits() -> None:
    game, labels = painting(Painter()), torch.tensor([2, 0, 1] * 50)
    part = drawn(game, labels, seed=1)
    assert torch.equal(part.labels, labels)
    pixels = part.split.images(part.indices)
    assert pixels.dtype == torch.uint8
    z = game.prior.sample_each(1, range(150)).view(-1, 1, 8, 8)
    expected = (z[labels == 2] + 1) * 49.5 + 150
    assert (pixels[labels == 2].float() - expected).abs().max() < 0.51


def test_reals_are_held_out_where_there_is_no_test_split(source: TinySource) -> None:
    train, test = halves(source, seed=0)
    assert (len(train.indices), len(test.indices)) == (200, 100)
    assert test.split is source.split("test")
    del source.splits["test"]
    train, test = halves(source, seed=0)
    assert (len(train.indices), len(test.indices)) == (180, 20)
    assert torch.equal(torch.cat([train.indices, test.indices]).sort().values, torch.arange(200))
    assert cas(painting(Painter()), source)["cas_real"] > 0.8


def test_as_many_fakes_as_reals_of_the_same_classes(
    source: TinySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    fit = Training.fit

    def watched(self: Training, net: object, split: TinySplit, indices: torch.Tensor, *_: object):  # type: ignore[no-untyped-def]
        assert split.labels is not None
        seen.append(split.labels[indices])
        fit(self, net, split, indices, *_)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "fit", watched)
    probe = ClassificationAccuracy(images=50, training=SHORT)
    probe.measure(painting(Painter()), source, Corners(), 0)
    fakes, reals = seen
    assert len(fakes) == 50
    assert torch.equal(fakes, reals)


def test_fakes_help_few_reals_and_wrong_ones_do_not() -> None:
    source = tiny_source()
    probe = Augmentation(reals=3, generated=150, training=SHORT)
    probe.check(painting(Painter()), source)
    good = probe.measure(painting(Painter()), source, Corners(), 0)
    assert good.keys() == {"augmentation/real", "augmentation/both", "augmentation/gain"}
    assert good["augmentation/both"] > 0.9 > good["augmentation/real"]
    gain = good["augmentation/both"] - good["augmentation/real"]
    assert good["augmentation/gain"] == pytest.approx(gain)
    bad = probe.measure(painting(Muddler()), source, Corners(), 0)
    assert bad["augmentation/real"] == good["augmentation/real"]
    assert bad["augmentation/gain"] < good["augmentation/gain"] / 2


def test_settings_are_stamped() -> None:
    assert ClassificationAccuracy().stamp() != ClassificationAccuracy(images=10).stamp()
    assert ClassificationAccuracy().stamp() != ClassificationAccuracy(training=SHORT).stamp()
    listed = Training(rounds=[40], batch_size=32)  # type: ignore[arg-type]
    assert ClassificationAccuracy(training=listed).stamp() == (
        ClassificationAccuracy(training=SHORT).stamp()
    )
    assert Augmentation().stamp() != Augmentation(reals=10).stamp()
    assert Augmentation().stamp() != Augmentation(generated=10).stamp()
    assert not ClassificationAccuracy().stamp().keys() & Augmentation().stamp().keys()


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (ClassificationAccuracy(images=201), ["cas.images=201", "1 to 200"]),
        (ClassificationAccuracy(images=0), ["cas.images=0"]),
        (Augmentation(reals=201), ["augmentation.reals=201"]),
    ],
)
def test_more_images_than_there_are(
    probe: ClassificationAccuracy, words: list[str], source: TinySource
) -> None:
    with pytest.raises(InputError) as caught:
        probe.check(painting(Painter()), source)
    assert all(word in str(caught.value) for word in words)


def test_models_and_data_without_classes_are_refused(source: TinySource) -> None:
    class Blank(Painter):
        num_classes = 0

        def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(z, torch.zeros(len(z), dtype=torch.int64))

    class Many(Painter):
        num_classes = 4

    probe = ClassificationAccuracy()
    with pytest.raises(InputError, match=r"class-conditional model.*conditioning=projection.*cas"):
        probe.check(painting(Blank()), source)
    with pytest.raises(InputError, match="knows 4 classes and tiny has 3"):
        probe.check(painting(Many()), source)
    unlabelled = replace(source, splits={"train": TinySplit(source.split("train").pixels, None)})
    with pytest.raises(InputError, match="labelled data and tiny has no labels"):
        probe.check(painting(Painter()), unlabelled)


def test_images_of_another_shape_are_refused(source: TinySource) -> None:
    with pytest.raises(InputError, match=r"\(1, 8, 8\) and tiny is \(3, 8, 8\)"):
        ClassificationAccuracy().check(painting(Painter()), tiny_source(channels=3))
    point = replace(source, resolution=1)
    with pytest.raises(InputError, match="cas needs images of 8 pixels"):
        ClassificationAccuracy().check(players(Linear(torch.eye(2))), point)


def test_rounds_that_end_early_are_refused() -> None:
    with pytest.raises(InputError, match=r"cas\.training\.rounds=\[150, 600\]"):
        ClassificationAccuracy(training=Training(rounds=(150, 600)))
    with pytest.raises(InputError, match=r"augmentation\.generated=0"):
        Augmentation(generated=0)
