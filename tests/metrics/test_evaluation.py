from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.evaluation import Evaluation, protocol
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.feature_pass import Batch
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore
from gan.metrics.memorisation import Memorisation
from gan.metrics.path_length import PerceptualPathLength
from tests.metrics.tiny_data import Corners, TinyDataset, domain, evaluation, tiny_dataset


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
    with pytest.raises(InputError, match="no test split"):
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
