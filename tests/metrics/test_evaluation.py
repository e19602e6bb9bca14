from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.evaluation import Evaluation, NoEvaluation, protocol
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.feed import Batch
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore
from gan.metrics.memorisation import Memorisation
from tests.metrics.tiny import Corners, TinySource, domain, evaluation, tiny_source


def prepared(cache: Path, source: TinySource, num_fakes: int = 100) -> Evaluation:
    result = evaluation(cache, num_fakes=num_fakes)
    result.prepare(source, torch.device("cpu"))
    return result


def noise(count: int) -> list[Batch]:
    return [(torch.rand(count, 1, 8, 8), None)]


def test_keys_carry_the_backbone(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    values = result.measure(source.reals("test", 30))
    assert list(values) == ["corners/fid", "corners/is", "corners/is_std"]
    assert result.monitor == "corners/fid"
    assert list(result.ranking) == ["corners/fid", "corners/is"]
    assert (result.better("corners/fid"), result.better("corners/is")) == (min, max)


def test_the_reals_against_themselves_are_zero(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source, 200)
    assert result.measure(source.reals("train", 30))["corners/fid"] == pytest.approx(0, abs=1e-12)


def test_measurements_do_not_add_up(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    first = result.measure(source.reals("test", 30))
    result.measure(noise(100))
    assert result.measure(source.reals("test", 30)) == first


def test_a_refused_measurement_leaves_nothing_behind(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    first = result.measure(source.reals("test", 30))
    with pytest.raises(InputError):
        result.measure([*noise(20), (torch.full((4, 1, 8, 8), torch.nan), None)])
    assert result.measure(source.reals("test", 30)) == first


def test_baseline_is_the_other_split(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    expected = result.measure(source.reals("test", 30))
    assert result.baseline() == pytest.approx(expected)
    source.passes.clear()
    assert prepared(tmp_path, source).baseline() == pytest.approx(expected)
    assert source.passes == []


@pytest.mark.parametrize("content", [b"damaged", {"fid": [1.0]}, {"other": torch.ones(3)}])
def test_files_that_hold_something_else_are_made_anew(
    content: object, tmp_path: Path, source: TinySource
) -> None:
    expected = prepared(tmp_path, source).baseline()
    for path in tmp_path.glob("reals-*.pt"):
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    assert prepared(tmp_path, source).baseline() == expected


def test_no_other_split_no_baseline(tmp_path: Path, source: TinySource) -> None:
    del source.splits["test"]
    assert prepared(tmp_path, source).baseline() is None


def test_second_run_reads_the_real_statistics(tmp_path: Path, source: TinySource) -> None:
    fakes = noise(100)
    first = prepared(tmp_path, source).measure(fakes)
    assert source.passes == ["train"]
    assert prepared(tmp_path, source).measure(fakes) == first
    assert source.passes == ["train"]


def test_truncated_statistics_are_computed_again(tmp_path: Path, source: TinySource) -> None:
    fakes = noise(100)
    first = prepared(tmp_path, source).measure(fakes)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert prepared(tmp_path, source).measure(fakes) == first
    assert source.passes == ["train", "train"]
    assert isinstance(torch.load(file, weights_only=True), dict)


def test_other_reals_have_their_own_file(tmp_path: Path) -> None:
    for source in (tiny_source(seed=0), tiny_source(seed=1)):
        prepared(tmp_path, source)
        assert source.passes == ["train"]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_global_rng_is_untouched(tmp_path: Path, source: TinySource) -> None:
    fakes = noise(100)
    before = torch.get_rng_state()
    result = evaluation(tmp_path, domain(tmp_path), 100)
    result.prepare(source, torch.device("cpu"))
    result.measure(fakes)
    result.baseline()
    assert torch.equal(before, torch.get_rng_state())


def test_stamp_states_the_protocol(tmp_path: Path, source: TinySource) -> None:
    stamp = prepared(tmp_path, source).stamp()
    assert stamp["backbone"] == "corners"
    assert len(str(stamp["weights_hash"])) == 64
    assert stamp["real_data"] == "tiny"
    assert stamp["real_split"] == "train"
    assert stamp["real_count"] == 200
    assert stamp["real_fingerprint"] == source.fingerprint("train")
    assert stamp["num_fakes"] == 100
    assert stamp["resize"] == "none"


@pytest.mark.parametrize(
    ("fakes", "message"),
    [
        ([], "0 generated images came"),
        ([torch.zeros(99, 1, 8, 8)], "99 generated images came"),
        ([torch.zeros(101, 1, 8, 8)], "101 generated images came"),
        ([torch.zeros(4, 3, 8, 8)], "channels and resolution"),
        ([torch.zeros(4, 1, 9, 9)], "channels and resolution"),
        ([torch.zeros(4, 1, 8, 8), torch.zeros(4, 1, 9, 9)], "channels and resolution"),
        ([torch.full((4, 1, 8, 8), torch.nan)], "not finite"),
        ([torch.rand(4, 1, 8, 8) * 255], "outside"),
    ],
)
def test_fakes_that_cannot_be_compared(
    tmp_path: Path, source: TinySource, fakes: list[Tensor], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepared(tmp_path, source).measure((images, None) for images in fakes)


def test_too_few_fakes_for_the_features_is_said_once(
    tmp_path: Path, source: TinySource, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(tmp_path, source)
    assert not caplog.records
    evaluation(tmp_path, num_fakes=3).prepare(source, torch.device("cpu"))
    (record,) = caplog.records
    assert "num_fakes=3" in record.getMessage()


def test_absent_split_names_the_other(tmp_path: Path, source: TinySource) -> None:
    del source.splits["test"]
    result = Evaluation(
        Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path), "test", min_fakes=2
    )
    with pytest.raises(InputError, match="no test split"):
        result.prepare(source, torch.device("cpu"))


def test_weights_reach_the_backbone(tmp_path: Path) -> None:
    metrics = {"fid": FrechetDistance()}
    result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), weights="file.pt", min_fakes=2)
    assert result.backbone.weights == "file.pt"


def test_unknown_monitor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of fid"):
        Evaluation(
            Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path), monitor="kid", min_fakes=2
        )


def test_a_monitor_without_measures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="or metrics=none"):
        Evaluation(Corners(), {}, 0, 10, str(tmp_path), monitor="fid", min_fakes=2)


def test_no_evaluation_asks_for_nothing(source: TinySource) -> None:
    result = NoEvaluation()
    result.prepare(source, torch.device("cpu"))
    assert result.every == result.num_fakes == 0
    assert result.measure(iter([])) == {}
    assert result.baseline() is None
    assert result.stamp() == {}


def test_fewer_fakes_than_trusted_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"num_fakes=10: numbers of fewer than 1000"):
        Evaluation(Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path))


def test_a_protocol_names_equal_stamps_alone() -> None:
    stamp = {"backbone": "domain", "num_fakes": 10}
    assert protocol(stamp) == protocol({"num_fakes": 10, "backbone": "domain"})
    assert protocol(stamp) != protocol({**stamp, "num_fakes": 11})


def test_a_protocol_hears_of_its_own_metric_alone(tmp_path: Path, source: TinySource) -> None:
    def protocols(**metrics: FeatureMetric) -> dict[str, str]:
        result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)
        result.prepare(source, torch.device("cpu"))
        return result.protocols(result.stamp())

    alone = protocols(fid=FrechetDistance())
    both = protocols(fid=FrechetDistance(), score=InceptionScore(splits=10))
    other = protocols(fid=FrechetDistance(), score=InceptionScore(splits=1))
    assert alone["corners/fid"] == both["corners/fid"] == other["corners/fid"]
    assert both["corners/is"] != other["corners/is"]


def test_a_metric_that_cannot_be_taken_is_named(tmp_path: Path, source: TinySource) -> None:
    backbone = Corners()
    backbone.classifies = False
    metrics = {"fid": FrechetDistance(), "score": InceptionScore()}
    result = Evaluation(backbone, metrics, 0, 10, str(tmp_path), min_fakes=2)
    with pytest.raises(InputError, match="score: corners has no class scores; leave score out"):
        result.prepare(source, torch.device("cpu"))


def test_two_metrics_of_one_name_are_refused(tmp_path: Path, source: TinySource) -> None:
    metrics = {"one": FrechetDistance(), "two": FrechetDistance()}
    result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)
    with pytest.raises(InputError, match="two: one gives fid already; leave two out"):
        result.prepare(source, torch.device("cpu"))
    assert result.drop_refused(source, labelled=False) == {"two": "one gives fid already"}
    assert list(result.metrics) == ["one"]


def test_a_metric_of_unseen_images_needs_some(tmp_path: Path, source: TinySource) -> None:
    del source.splits["test"]
    metrics = {"fid": FrechetDistance(), "copies": Memorisation()}
    result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), min_fakes=2)
    with pytest.raises(InputError, match="copies: tiny has no test split; leave copies out"):
        result.prepare(source, torch.device("cpu"))


def test_weights_of_another_hash_are_refused(tmp_path: Path, source: TinySource) -> None:
    fid = {"fid": FrechetDistance()}
    result = Evaluation(Corners(), fid, 0, 10, str(tmp_path), min_fakes=2, weights_hash="0123")
    with pytest.raises(InputError, match="weights_hash=0123"):
        result.prepare(source, torch.device("cpu"))
