"""Which settings, models and data the metrics take, and which they refuse."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.augmentation_score import AugmentationScore
from gan.metrics.class_accuracy import ClassAccuracy, RotationAccuracy
from gan.metrics.class_kept import ClassKept
from gan.metrics.class_variety import ClassVariety
from gan.metrics.classification_accuracy import ClassificationAccuracy
from gan.metrics.code_accuracy import CodeAccuracy
from gan.metrics.encoding import EncodingAccuracy
from gan.metrics.evaluation import Evaluation
from gan.metrics.frechet import FrechetDistance
from gan.metrics.frechet_infinity import FrechetInfinity
from gan.metrics.inception_score import InceptionScore
from gan.metrics.kernel import KernelDistance
from gan.metrics.labelled_images import Subset, train_test
from gan.metrics.likelihood import EvidenceLowerBound, LogLikelihood
from gan.metrics.memorisation import Memorisation
from gan.metrics.model_metric import ModelMetric
from gan.metrics.neighbours import Coverage, Neighbours
from gan.metrics.paired import CycleError, SignalNoiseRatio, StructuralSimilarity
from gan.metrics.path_length import PerceptualPathLength
from gan.metrics.per_class import PerClass
from gan.metrics.reconstruction import Reconstruction
from tests.algorithms import test_bigan, test_infogan, test_semi_supervised, test_ssgan
from tests.metrics import test_reconstruction
from tests.metrics.generators import StripeGenerator, stripe_game
from tests.metrics.tiny_data import Corners, TinyDataset, TinySplit, domain, tiny_dataset


def evaluated(**settings: Any) -> Evaluation:
    given: dict[str, Any] = {"every": 0, "num_fakes": 2, "min_fakes": 2, "batch_size": 1}
    return Evaluation(Corners(), {"fid": FrechetDistance()}, cache="", **given | settings)


BOUNDS: list[tuple[Callable[..., Any], dict[str, Any], dict[str, Any]]] = [
    (AugmentationScore, {"generated": 1}, {"generated": 0}),
    (CodeAccuracy, {"count": 1}, {"count": 0}),
    (Reconstruction, {"count": 1}, {"count": 0}),
    (EvidenceLowerBound, {"count": 1}, {"count": 0}),
    (LogLikelihood, {"count": 1, "samples": 1}, {"count": 1, "samples": 0}),
    (LogLikelihood, {"count": 1}, {"count": 0}),
    (KernelDistance, {"subsets": 1, "subset_size": 4}, {"subsets": 0}),
    (KernelDistance, {"subset_size": 4}, {"subset_size": 3}),
    (FrechetInfinity, {"points": 2, "least": 0.01}, {"points": 1}),
    (FrechetInfinity, {"least": 0.99}, {"least": 1}),
    (FrechetInfinity, {"least": 0.99}, {"least": 0}),
    (Neighbours, {"precision_k": 1, "coverage_k": 1}, {"precision_k": 0}),
    (Coverage, {"precision_k": 1, "coverage_k": 1}, {"coverage_k": 0}),
    (PerClass, {"k": 1}, {"k": 0}),
    (ClassVariety, {"k": 1}, {"k": 0}),
    (PerceptualPathLength, {"count": 1, "epsilon": 1.0}, {"count": 0}),
    (PerceptualPathLength, {"epsilon": 1e-9}, {"epsilon": 0}),
    (PerceptualPathLength, {"epsilon": 1.0}, {"epsilon": 1.01}),
    (PerceptualPathLength, {"discard": (0, 100)}, {"discard": (-1, 100)}),
    (PerceptualPathLength, {"discard": (0, 100)}, {"discard": (0, 101)}),
    (PerceptualPathLength, {"discard": (4, 5)}, {"discard": (5, 5)}),
    (evaluated, {}, {"batch_size": 0}),
    (evaluated, {}, {"every": -1}),
    (evaluated, {}, {"min_fakes": 1}),
    (evaluated, {"num_fakes": 7, "min_fakes": 7}, {"num_fakes": 6, "min_fakes": 7}),
]


@pytest.mark.parametrize(("metric", "good", "bad"), BOUNDS)
def test_numbers_at_their_bounds(
    metric: Callable[..., Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    made = metric(**good)
    for key, value in good.items():
        assert getattr(made, {"samples": "draws"}.get(key, key), value) == value
    with pytest.raises(InputError, match="=" if bad else ""):
        metric(**bad)


def stripes() -> Any:
    return stripe_game(StripeGenerator())


def pixels() -> Any:
    return test_reconstruction.game(0.5)


MODELS: dict[type[ModelMetric], Callable[[], Any]] = {
    AugmentationScore: stripes,
    ClassAccuracy: test_semi_supervised.game,
    ClassificationAccuracy: stripes,
    CodeAccuracy: test_infogan.game,
    EncodingAccuracy: test_bigan.game,
    EvidenceLowerBound: pixels,
    LogLikelihood: pixels,
    PerceptualPathLength: stripes,
    Reconstruction: pixels,
    RotationAccuracy: test_ssgan.game,
}


def data_of(metric: type[ModelMetric]) -> TinyDataset:
    return test_reconstruction.data() if MODELS[metric] is pixels else tiny_dataset()


@pytest.mark.parametrize("metric", MODELS)
def test_models_of_other_images_than_the_data_are_refused(metric: type[ModelMetric]) -> None:
    game, data = MODELS[metric](), data_of(metric)
    settings = {"reals": 3} if metric is AugmentationScore else {}
    metric(**settings).check(game, data)
    assert metric().absence(game, data) is None
    wrong = replace(data, resolution=data.resolution + 1)
    with pytest.raises(InputError, match="give model and data the same channels and resolution"):
        metric(**settings).check(game, wrong)


def test_what_an_encoding_needs() -> None:
    metric, data = EncodingAccuracy(), tiny_dataset()
    with pytest.raises(InputError, match="encoding: tiny has no labels"):
        metric.check(test_bigan.game(), replace(data, num_classes=1))
    with pytest.raises(InputError, match="encode"):
        metric.check(stripes(), data)
    del data.splits["test"]
    with pytest.raises(InputError, match="encoding: tiny has no test split"):
        metric.check(test_bigan.game(), data)


def test_rotations_need_a_test_split() -> None:
    data = tiny_dataset()
    del data.splits["test"]
    game = test_ssgan.game()
    assert RotationAccuracy().absence(game, data) == "tiny has no test split"


def test_codes_need_a_game_with_codes() -> None:
    with pytest.raises(InputError, match="the model has no codes"):
        CodeAccuracy().check(stripes(), tiny_dataset())


def test_a_metric_of_two_classes_and_of_one() -> None:
    game = stripes()
    game.generator.num_classes = 2
    data = replace(tiny_dataset(), num_classes=2)
    metric = ClassificationAccuracy()
    metric._check_labels(2, data)
    with pytest.raises(InputError, match="has no labels"):
        metric._check_labels(1, replace(data, num_classes=1))
    metric.check_count("images", 200, data)
    metric.check_count("images", 1, data)
    metric.check_count("images", None, data)


def test_images_as_large_as_the_smallest_are_taken() -> None:
    assert StructuralSimilarity().incompatibility(Corners(), tiny_dataset(), False)
    just = replace(tiny_dataset(), resolution=11)
    assert StructuralSimilarity().incompatibility(Corners(), just, False) is None
    ClassificationAccuracy().check(stripes(), tiny_dataset())  # of 8 pixels


def test_what_the_kept_class_needs(tmp_path: Any) -> None:
    metric, data = ClassKept(), tiny_dataset()
    assert "corners does not predict" in str(metric.incompatibility(Corners(), data, True))
    classifier = domain(tmp_path)
    assert metric.incompatibility(classifier, data, True) is None
    assert metric.incompatibility(classifier, data, False) == "the sources have no labels"


def test_scores_need_logits() -> None:
    backbone, data = Corners(), tiny_dataset()
    assert InceptionScore().incompatibility(backbone, data, False) is None
    assert FrechetDistance().incompatibility(backbone, data, False) is None
    backbone.has_logits = False
    assert "no class scores" in str(InceptionScore().incompatibility(backbone, data, False))
    assert InceptionScore(3).stamp() == {"is_splits": 3}
    assert Memorisation(5).stamp() == {"memorisation_seed": 5}


def test_pairs_without_their_other_image_do_not_count() -> None:
    from gan.metrics.outputs import Outputs

    images = torch.zeros(2, 1, 8, 8)
    metric, cycle = SignalNoiseRatio(), CycleError()
    features = Corners()(images)
    for one in (metric, cycle):
        one.begin(2)
        one.compare(Outputs(images), features, Corners())
        assert int(one.count) == 0
    metric.compare(Outputs(images, target=images), features, Corners())
    assert int(metric.count) == 2


def test_a_few_images_are_split_and_cut() -> None:
    pixels = torch.zeros(5, 1, 8, 8, dtype=torch.uint8)
    split = TinySplit(pixels, torch.arange(5))
    train, test = train_test(TinyDataset({"train": split}), 0)
    assert (len(train.indices), len(test.indices)) == (4, 1)
    empty = TinySplit(pixels[:0], torch.arange(0))
    _, test = train_test(TinyDataset({"train": split, "test": empty}), 0)
    assert len(test.indices) == 1
    unlabelled = TinySplit(pixels, None)
    _, test = train_test(TinyDataset({"train": split, "test": unlabelled}), 0)
    assert len(test.indices) == 1
    whole = Subset.full(split)
    assert whole.first(2).labels.tolist() == [0, 1]
    assert whole.first(None).labels.tolist() == [0, 1, 2, 3, 4]
    both = whole.first(2).concatenate(Subset(split, torch.tensor([4])))
    assert both.labels.tolist() == [0, 1, 4]
    assert len(both.split) == 3


def test_the_trainer_is_on_the_device_of_the_model() -> None:
    game = SimpleNamespace(device=torch.device("meta"))
    trainer = ClassificationAccuracy().trainer(cast(Any, game), tiny_dataset(), 5)
    assert (trainer.device, trainer.seed) == (torch.device("meta"), 5)


def test_a_spectrum_has_its_mean_and_quantiles() -> None:
    from gan.metrics.spectra import Spectrum

    profiles: Tensor = torch.arange(10.0).view(5, 2)
    spectrum = Spectrum(torch.zeros(2, 2), profiles)
    assert spectrum.mean.tolist() == [4, 5]
    low, high = spectrum.quantiles(0.25, 1.0)
    assert (low.tolist(), high.tolist()) == ([2, 3], [8, 9])


def test_an_evaluation_takes_the_batch_that_is_set_or_that_of_its_device() -> None:
    assert evaluated(batch_size=7).batch_size == 7
    assert evaluated(batch_size=None).batch_size == 100
