from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.evaluation import Evaluation, _check_values, protocol
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.feature_pass import Batch
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore
from gan.metrics.memorisation import Memorisation
from gan.metrics.model_metric import ModelMetric
from gan.metrics.paired import CycleError, SignalNoiseRatio
from gan.metrics.path_length import PerceptualPathLength
from gan.metrics.per_class import PerClass
from tests.metrics.generators import StripeGenerator, stripe_game
from tests.metrics.tiny_data import (
    Corners,
    TinyDataset,
    domain,
    evaluation,
    stripes,
    tiny_dataset,
)


def prepared(cache: Path, dataset: TinyDataset, num_fakes: int = 100) -> Evaluation:
    result = evaluation(cache, num_fakes=num_fakes)
    result.prepare(dataset, torch.device("cpu"))
    return result


def noise(count: int) -> list[Batch]:
    return [(torch.rand(count, 1, 8, 8), None)]


def test_keys_have_the_backbone_as_prefix(tmp_path: Path, dataset: TinyDataset) -> None:
    result = prepared(tmp_path, dataset)
    values = result.measure(dataset.reals("test", 30))
    assert list(values) == ["corners/fid", "corners/is", "corners/is_std"]
    assert result.monitor == "corners/fid"
    assert list(result.ranking) == ["corners/fid", "corners/is"]
    assert (result.best_of("corners/fid"), result.best_of("corners/is")) == (min, max)


def test_real_images_against_themselves_are_zero(tmp_path: Path, dataset: TinyDataset) -> None:
    result = prepared(tmp_path, dataset, 200)
    assert result.measure(dataset.reals("train", 30))["corners/fid"] == pytest.approx(0, abs=1e-12)


def test_evaluations_are_independent(tmp_path: Path, dataset: TinyDataset) -> None:
    result = prepared(tmp_path, dataset)
    first = result.measure(dataset.reals("test", 30))
    result.measure(noise(100))
    assert result.measure(dataset.reals("test", 30)) == first


def test_a_refused_evaluation_leaves_no_state(tmp_path: Path, dataset: TinyDataset) -> None:
    result = prepared(tmp_path, dataset)
    first = result.measure(dataset.reals("test", 30))
    with pytest.raises(InputError):
        result.measure([*noise(20), (torch.full((4, 1, 8, 8), torch.nan), None)])
    assert result.measure(dataset.reals("test", 30)) == first


def test_baseline_is_the_other_split(tmp_path: Path, dataset: TinyDataset) -> None:
    result = prepared(tmp_path, dataset)
    expected = result.measure(dataset.reals("test", 30))
    assert result.baseline() == pytest.approx(expected)
    dataset.passes.clear()
    assert prepared(tmp_path, dataset).baseline() == pytest.approx(expected)
    assert dataset.passes == []


@pytest.mark.parametrize("content", [b"damaged", {"fid": [1.0]}, {"other": torch.ones(3)}])
def test_files_of_something_else_are_computed_again(
    content: object, tmp_path: Path, dataset: TinyDataset
) -> None:
    expected = prepared(tmp_path, dataset).baseline()
    for path in tmp_path.glob("reals-*.pt"):
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    assert prepared(tmp_path, dataset).baseline() == expected


def test_no_other_split_no_baseline(tmp_path: Path, dataset: TinyDataset) -> None:
    del dataset.splits["test"]
    assert prepared(tmp_path, dataset).baseline() is None


def test_second_run_reads_the_real_statistics(tmp_path: Path, dataset: TinyDataset) -> None:
    fakes = noise(100)
    first = prepared(tmp_path, dataset).measure(fakes)
    assert dataset.passes == ["train"]
    assert prepared(tmp_path, dataset).measure(fakes) == first
    assert dataset.passes == ["train"]


def test_truncated_statistics_are_computed_again(tmp_path: Path, dataset: TinyDataset) -> None:
    fakes = noise(100)
    first = prepared(tmp_path, dataset).measure(fakes)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert prepared(tmp_path, dataset).measure(fakes) == first
    assert dataset.passes == ["train", "train"]
    assert isinstance(torch.load(file, weights_only=True), dict)


def test_other_reals_have_their_own_file(tmp_path: Path) -> None:
    for dataset in (tiny_dataset(seed=0), tiny_dataset(seed=1)):
        prepared(tmp_path, dataset)
        assert dataset.passes == ["train"]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_global_rng_is_untouched(tmp_path: Path, dataset: TinyDataset) -> None:
    fakes = noise(100)
    before = torch.get_rng_state()
    result = evaluation(tmp_path, domain(tmp_path), 100)
    result.prepare(dataset, torch.device("cpu"))
    result.measure(fakes)
    result.baseline()
    assert torch.equal(before, torch.get_rng_state())


def test_stamp_states_the_protocol(tmp_path: Path, dataset: TinyDataset) -> None:
    stamp = prepared(tmp_path, dataset).stamp()
    assert stamp["backbone"] == "corners"
    assert len(str(stamp["weights_hash"])) == 64
    assert stamp["real_data"] == "tiny"
    assert stamp["real_split"] == "train"
    assert stamp["real_count"] == 200
    assert stamp["real_fingerprint"] == dataset.fingerprint("train")
    assert stamp["num_fakes"] == 100
    assert stamp["resize"] == "none"


@pytest.mark.parametrize(
    ("fakes", "message"),
    [
        ([], "0 generated images"),
        ([torch.zeros(99, 1, 8, 8)], "99 generated images"),
        ([torch.zeros(101, 1, 8, 8)], "101 generated images"),
        ([torch.zeros(4, 3, 8, 8)], "channels and resolution"),
        ([torch.zeros(4, 1, 9, 9)], "channels and resolution"),
        ([torch.zeros(4, 1, 8, 8), torch.zeros(4, 1, 9, 9)], "channels and resolution"),
        ([torch.full((4, 1, 8, 8), torch.nan)], "not finite"),
        ([torch.rand(4, 1, 8, 8) * 255], "outside"),
    ],
)
def test_fakes_that_cannot_be_compared(
    tmp_path: Path, dataset: TinyDataset, fakes: list[Tensor], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepared(tmp_path, dataset).measure((images, None) for images in fakes)


def test_too_few_fakes_for_the_features_are_warned_of_once(
    tmp_path: Path, dataset: TinyDataset, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(tmp_path, dataset)
    assert not caplog.records
    evaluation(tmp_path, num_fakes=3).prepare(dataset, torch.device("cpu"))
    (record,) = caplog.records
    assert "num_fakes=3" in record.getMessage()


def test_absent_split_names_the_other(tmp_path: Path, dataset: TinyDataset) -> None:
    del dataset.splits["test"]
    result = Evaluation(
        Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path), "test", min_fakes=2
    )
    with pytest.raises(InputError, match=r"no test split.*; set evaluation.split=train$"):
        result.prepare(dataset, torch.device("cpu"))
    dataset.splits.clear()  # then there is no other to name
    with pytest.raises(InputError, match=r"tiny has no test split\)$"):
        result.prepare(dataset, torch.device("cpu"))


def test_unknown_monitor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of fid"):
        Evaluation(
            Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path), monitor="kid", min_fakes=2
        )


def test_a_monitor_without_metrics(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="monitor=fid is not measured: set it to null"):
        Evaluation(Corners(), {}, 0, 10, str(tmp_path), monitor="fid", min_fakes=2)


def test_metrics_of_the_model_name_the_command(tmp_path: Path) -> None:
    metrics = {"fid": FrechetDistance(), "ppl": PerceptualPathLength()}
    with pytest.raises(InputError, match=r"ppl cannot .* evaluate run=DIR metrics=\[ppl\]$"):
        Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)


def test_fewer_fakes_than_the_minimum_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"num_fakes=10: values of fewer than 1000"):
        Evaluation(Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path))


def test_equal_stamps_have_equal_protocols() -> None:
    stamp = {"backbone": "domain", "num_fakes": 10}
    assert protocol(stamp) == protocol({"num_fakes": 10, "backbone": "domain"})
    assert protocol(stamp) != protocol({**stamp, "num_fakes": 11})


def test_a_protocol_depends_on_its_own_metric_alone(tmp_path: Path, dataset: TinyDataset) -> None:
    def protocols(**metrics: FeatureMetric) -> dict[str, str]:
        result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)
        result.prepare(dataset, torch.device("cpu"))
        return result.protocols(result.stamp())

    alone = protocols(fid=FrechetDistance())
    both = protocols(fid=FrechetDistance(), score=InceptionScore(splits=10))
    other = protocols(fid=FrechetDistance(), score=InceptionScore(splits=1))
    assert alone["corners/fid"] == both["corners/fid"] == other["corners/fid"]
    assert both["corners/is"] != other["corners/is"]


def test_an_incompatible_metric_is_named(tmp_path: Path, dataset: TinyDataset) -> None:
    backbone = Corners()
    backbone.has_logits = False
    metrics = {"fid": FrechetDistance(), "score": InceptionScore()}
    result = Evaluation(backbone, metrics, 0, 10, str(tmp_path), min_fakes=2)
    with pytest.raises(InputError, match="score: corners has no class scores; leave score out"):
        result.prepare(dataset, torch.device("cpu"))


def test_two_metrics_of_one_name_are_refused(tmp_path: Path, dataset: TinyDataset) -> None:
    metrics = {"one": FrechetDistance(), "two": FrechetDistance()}
    result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)
    with pytest.raises(InputError, match="two: one gives fid already; leave two out"):
        result.prepare(dataset, torch.device("cpu"))
    assert result.drop_incompatible(dataset, labelled=False) == {"two": "one gives fid already"}
    assert list(result.metrics) == ["one"]


def test_memorisation_needs_the_other_split(tmp_path: Path, dataset: TinyDataset) -> None:
    del dataset.splits["test"]
    metrics = {"fid": FrechetDistance(), "copies": Memorisation()}
    result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)
    with pytest.raises(InputError, match="copies: tiny has no test split; leave copies out"):
        result.prepare(dataset, torch.device("cpu"))


class Products(Corners):
    """Two features that are products of matrices."""

    num_features = 2

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flat = images.flatten(1).float() / 255
        return flat @ torch.linspace(0.1, 1, 2 * flat.shape[1]).view(-1, 2), flat[:, :8]


def test_features_in_bfloat16(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan.metrics.evaluation.lacks_bfloat16", lambda: False)
    values, stamps = [], []
    for bfloat16 in (False, True):
        fid = {"fid": FrechetDistance()}
        result = Evaluation(Products(), fid, 0, 100, str(tmp_path), min_fakes=2, bfloat16=bfloat16)
        result.prepare(dataset, torch.device("cpu"))
        pixels = dataset.split("test").pixels.float() / 127.5 - 1
        features = result.backbone(pixels)
        assert features.pool.dtype == features.logits.dtype == torch.float32
        flat = dataset.split("test").pixels.flatten(1).float() / 255
        exact = flat @ torch.linspace(0.1, 1, 2 * flat.shape[1]).view(-1, 2)
        assert 1e-4 * bfloat16 <= (features.pool / exact - 1).abs().max() < (1e-6, 1e-2)[bfloat16]
        values.append(result.measure([(pixels, None)])["corners/fid"])
        stamps.append(result.stamp())
    assert values[0] != values[1] == pytest.approx(values[0], rel=0.05)
    assert stamps[1] == stamps[0] | {"precision": "bfloat16"}
    assert len(list(tmp_path.iterdir())) == 2  # statistics of the reals, one of each precision
    assert "precision" not in stamps[0]


def test_bfloat16_on_a_processor_without(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan.metrics.evaluation.lacks_bfloat16", lambda: True)
    fid = {"fid": FrechetDistance()}
    result = Evaluation(Corners(), fid, 0, 10, str(tmp_path), min_fakes=2, bfloat16=True)
    with pytest.raises(InputError, match="bfloat16=true: this CPU has no instructions"):
        result.prepare(dataset, torch.device("cpu"))


def split_in_three(dataset: TinyDataset) -> TinyDataset:
    """Return a data set with a validation split besides."""
    dataset.splits["validation"] = stripes(60, 1, 9)
    return dataset


def test_the_split_is_validation_if_there_is_one(tmp_path: Path, dataset: TinyDataset) -> None:
    assert not prepared(tmp_path, dataset).validates
    result = prepared(tmp_path, split_in_three(dataset))
    assert (result.split, result.validates, result.untouched) == ("validation", True, True)
    assert result.baseline() == pytest.approx(result.measure(dataset.reals("test", 30)))
    result = evaluation(tmp_path)
    result._split = "valid"
    with pytest.raises(InputError, match="split=valid: give train, test, validation"):
        result.split_of(dataset)


def test_a_test_split_is_untouched_if_it_is_another(tmp_path: Path, dataset: TinyDataset) -> None:
    result = prepared(tmp_path, dataset)
    assert result.untouched
    dataset.splits["test"] = dataset.splits["train"]
    assert not result.untouched
    del dataset.splits["test"]
    assert not result.untouched
    with pytest.raises(RuntimeError, match="prepare"):
        assert evaluation(tmp_path).untouched


@pytest.mark.parametrize(("count", "refused"), [(1, True), (2, False)])
def test_a_split_of_one_image(
    tmp_path: Path, dataset: TinyDataset, count: int, refused: bool
) -> None:
    dataset.splits["train"] = stripes(count, 1, 0)
    if not refused:
        assert prepared(tmp_path, dataset).stamp()["real_count"] == count
        return
    with pytest.raises(InputError, match="tiny/train has 1 image;"):
        prepared(tmp_path, dataset)


def test_a_direction_stands_before_every_name(tmp_path: Path, dataset: TinyDataset) -> None:
    result = evaluation(tmp_path, num_fakes=100)
    result.use_direction("ba")
    result.prepare(dataset, torch.device("cpu"))
    values = result.measure(dataset.reals("test", 30))
    assert list(values) == ["ba/corners/fid", "ba/corners/is", "ba/corners/is_std"]
    assert result.monitor == "ba/corners/fid"
    assert result.baseline() == pytest.approx(values)


class Model(ModelMetric):
    """A metric of the model with a value of one class besides."""

    name, in_training, ranking, per_class = "model", True, ("model",), ("model",)
    missing: str | None = None
    checked = 0

    def absence(self, game: LatentGame, dataset: ImageDataset) -> str | None:
        return self.missing

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        self.checked += 1

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        assert (dataset.name, backbone.name) == ("tiny", "corners")
        return {"model": float(seed)}

    def stamp(self) -> Stamp:
        return {"model_setting": 3}


def with_model(cache: Path, dataset: TinyDataset, monitor: str = "fid") -> Evaluation:
    metrics = {"fid": FrechetDistance(), "per_class": PerClass(), "model": Model()}
    result = Evaluation(Corners(), metrics, 0, 10, str(cache), monitor=monitor, min_fakes=2)
    result.prepare(dataset, torch.device("cpu"), labelled=True)
    return result


def test_metrics_of_features_and_of_the_model_are_listed_together(
    tmp_path: Path, dataset: TinyDataset
) -> None:
    result, game = with_model(tmp_path, dataset), stripe_game(StripeGenerator())
    names = ["corners/fid", "corners/intra_fid", "corners/model"]
    assert list(result.ranking) == names
    assert result.per_class == {
        f"corners/{name}" for name in ("intra_fid", "precision", "recall", "model")
    }
    assert result.stamp().items() >= {"model_setting": 3, "per_class_k": 3}.items()
    assert list(result.protocols(result.stamp())) == names
    assert result.measure_model(game, 7) == {"corners/model": 7.0}


def test_a_model_without_the_values_is_warned_of(
    tmp_path: Path, dataset: TinyDataset, caplog: pytest.LogCaptureFixture
) -> None:
    result, game = with_model(tmp_path, dataset), stripe_game(StripeGenerator())
    metric = result.model_metrics["model"]
    assert isinstance(metric, Model)
    result.check_model(game, dataset)
    assert (metric.checked, list(result.model_metrics)) == (1, ["model"])
    metric.missing = "it has none"
    caplog.clear()
    result.check_model(game, dataset)
    assert "model is not measured: it has none" in caplog.text
    assert (metric.checked, result.model_metrics) == (1, {})
    monitored = with_model(tmp_path, dataset, "model")
    monitored.model_metrics["model"].missing = "it has none"  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="monitor=model: it has none: name another, or null"):
        monitored.check_model(game, dataset)


def test_what_fakes_are_compared_with_must_be_known(tmp_path: Path, dataset: TinyDataset) -> None:
    metrics = {"fid": FrechetDistance(), "psnr": SignalNoiseRatio(), "cycle": CycleError()}
    result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)
    missing = "the images have no {} to be compared with"
    assert result._incompatibilities(dataset, labelled=False) == {
        "psnr": missing.format("target"),
        "cycle": missing.format("cycle"),
    }
    result.extras = frozenset({"target", "cycle"})
    result.prepare(dataset, torch.device("cpu"))
    baseline = result.baseline()
    assert baseline is not None
    assert list(baseline) == ["corners/fid"]


def test_the_baseline_leaves_out_what_reads_its_split(tmp_path: Path, dataset: TinyDataset) -> None:
    metrics = {"fid": FrechetDistance(), "copies": Memorisation()}
    result = Evaluation(Corners(), metrics, 0, 100, str(tmp_path), min_fakes=2)
    result.prepare(dataset, torch.device("cpu"))
    assert dataset.passes == ["train", "test"]
    baseline = result.baseline()
    assert baseline is not None
    assert list(baseline) == ["corners/fid"]
    assert result.measure(dataset.reals("test", 30))["corners/copies"] > 0


@pytest.mark.parametrize(("outside", "refused"), [(32, False), (33, True)])
def test_most_values_must_be_in_range(outside: int, refused: bool) -> None:
    """Half of the values may be outside; the ends of the range are inside."""
    images = torch.ones(1, 1, 8, 8)
    images.view(-1)[:outside] = -1.5
    if not refused:
        _check_values(images)
        return
    with pytest.raises(InputError, match=r"reach from -1\.5 to 1, most of them"):
        _check_values(images)


def test_as_many_fakes_as_features_are_warned_of(
    tmp_path: Path, dataset: TinyDataset, caplog: pytest.LogCaptureFixture
) -> None:
    for num_fakes, count in ((5, 0), (4, 1)):
        caplog.clear()
        evaluation(tmp_path, num_fakes=num_fakes).prepare(dataset, torch.device("cpu"))
        assert len(caplog.records) == count


def test_bfloat16_is_refused_on_such_processors_alone(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan.metrics.evaluation.lacks_bfloat16", lambda: True)
    prepared(tmp_path, dataset)  # not asked for

    class Elsewhere(Corners):
        def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
            raise NotImplementedError(device.type)

    fid = {"fid": FrechetDistance()}
    result = Evaluation(Elsewhere(), fid, 0, 10, str(tmp_path), min_fakes=2, bfloat16=True)
    with pytest.raises(NotImplementedError, match="meta"):
        result.prepare(dataset, torch.device("meta"))


def test_statistics_stay_on_the_cpu_where_there_is_no_float64(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed: list[str] = []
    monkeypatch.setattr(FrechetDistance, "to", lambda _, device: placed.append(str(device)))
    monkeypatch.setattr(Evaluation, "_statistics", lambda _: SimpleNamespace(load=lambda *_: None))
    monkeypatch.setattr(Corners, "prepare", lambda *_: None)
    for name in ("mps", "cuda:0"):
        result = Evaluation(Corners(), {"fid": FrechetDistance()}, 0, 10, "", min_fakes=2)
        result.prepare(dataset, torch.device(name))
    assert placed == ["cpu", "cuda:0"]


def test_the_part_of_a_process_begins_at_its_number(tmp_path: Path, dataset: TinyDataset) -> None:
    seen: list[tuple[int, int]] = []
    result = prepared(tmp_path, dataset, 100)
    del result.metrics["is"]
    result.metrics["fid"].begin = lambda *place: seen.append(place)  # type: ignore[method-assign]
    checked = result._check_fakes([(torch.zeros(40, 1, 8, 8), None)], 60)
    assert len([*checked]) == 1
    with pytest.raises(InputError, match="101 generated images"):
        [*result._check_fakes([(torch.zeros(41, 1, 8, 8), None)], 60)]
    with pytest.raises(InputError, match="30 generated images"):
        result.measure([(torch.zeros(30, 1, 8, 8), None)], 70)
    assert seen == [(100, 70)]
