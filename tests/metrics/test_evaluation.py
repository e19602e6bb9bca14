from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan.errors import InputError
from gan.metrics.evaluation import Evaluation, NoEvaluation
from gan.metrics.frechet import FrechetDistance
from tests.metrics.tiny import Corners, TinySource, domain, evaluation, tiny_source


def prepared(cache: Path, source: TinySource) -> Evaluation:
    result = evaluation(cache)
    result.prepare(source, torch.device("cpu"))
    return result


def batches(source: TinySource, split: str) -> Iterator[Tensor]:
    return (images for images, _ in source.reals(split, 30))


def test_keys_carry_the_backbone(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    values = result.measure(batches(source, "test"))
    assert list(values) == ["corners/fid", "corners/is", "corners/is_std"]
    assert result.monitor == "corners/fid"
    assert result.minimize


def test_the_reals_against_themselves_are_zero(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    assert result.measure(batches(source, "train"))["corners/fid"] == pytest.approx(0, abs=1e-12)


def test_measurements_do_not_add_up(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    first = result.measure(batches(source, "test"))
    result.measure([torch.rand(20, 1, 8, 8)])
    assert result.measure(batches(source, "test")) == first


def test_a_refused_measurement_leaves_nothing_behind(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    first = result.measure(batches(source, "test"))
    with pytest.raises(InputError):
        result.measure([torch.rand(20, 1, 8, 8), torch.full((4, 1, 8, 8), torch.nan)])
    assert result.measure(batches(source, "test")) == first


def test_baseline_is_the_other_split(tmp_path: Path, source: TinySource) -> None:
    result = prepared(tmp_path, source)
    expected = result.measure(batches(source, "test"))
    assert result.baseline() == pytest.approx(expected)
    source.passes.clear()
    assert prepared(tmp_path, source).baseline() == pytest.approx(expected)
    assert source.passes == []


def test_no_other_split_no_baseline(tmp_path: Path, source: TinySource) -> None:
    del source.splits["test"]
    assert prepared(tmp_path, source).baseline() is None


def test_second_run_reads_the_real_statistics(tmp_path: Path, source: TinySource) -> None:
    fakes = [torch.rand(40, 1, 8, 8)]
    first = prepared(tmp_path, source).measure(fakes)
    assert source.passes == ["train"]
    assert prepared(tmp_path, source).measure(fakes) == first
    assert source.passes == ["train"]


def test_truncated_statistics_are_computed_again(tmp_path: Path, source: TinySource) -> None:
    fakes = [torch.rand(40, 1, 8, 8)]
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
    fakes = [torch.rand(40, 1, 8, 8)]
    before = torch.get_rng_state()
    result = evaluation(tmp_path, domain(tmp_path))
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
    assert stamp["num_fakes"] == 50
    assert stamp["resize"] == "none"


@pytest.mark.parametrize(
    ("fakes", "message"),
    [
        ([], "2 images"),
        ([torch.zeros(1, 1, 8, 8)], "2 images"),
        ([torch.zeros(4, 3, 8, 8)], "channels and resolution"),
        ([torch.zeros(4, 1, 9, 9)], "channels and resolution"),
        ([torch.full((4, 1, 8, 8), torch.nan)], "not finite"),
    ],
)
def test_fakes_that_cannot_be_compared(
    tmp_path: Path, source: TinySource, fakes: list[Tensor], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepared(tmp_path, source).measure(fakes)


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
    result = Evaluation(Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path), split="test")
    with pytest.raises(InputError, match="no test split"):
        result.prepare(source, torch.device("cpu"))


def test_weights_reach_the_backbone(tmp_path: Path) -> None:
    metrics = {"fid": FrechetDistance()}
    result = Evaluation(Corners(), metrics, 0, 10, str(tmp_path), weights="file.pt")
    assert result.backbone.weights == "file.pt"


def test_unknown_monitor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of fid"):
        Evaluation(Corners(), {"fid": FrechetDistance()}, 0, 10, str(tmp_path), monitor="kid")


def test_no_evaluation_asks_for_nothing(source: TinySource) -> None:
    result = NoEvaluation()
    result.prepare(source, torch.device("cpu"))
    assert result.every == result.num_fakes == 0
    assert result.measure(iter([])) == {}
    assert result.baseline() is None
    assert result.stamp() == {}
