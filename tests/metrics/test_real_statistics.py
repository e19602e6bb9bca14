"""States of real images: what reads them, their files, and the shares of several processes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan import processes
from gan.backbones import cache
from gan.metrics.class_kept import ClassKept
from gan.metrics.feature_metric import FeatureMetric, FeatureSetMetric, Role
from gan.metrics.feature_pass import FeaturePass
from gan.metrics.frechet import FrechetDistance
from gan.metrics.kernel import KernelDistance
from gan.metrics.memorisation import Memorisation
from gan.metrics.neighbours import Neighbours
from gan.metrics.outputs import Outputs
from gan.metrics.real_statistics import RealStatistics
from tests.metrics.tiny_data import Corners, TinyDataset, features

CPU = torch.device("cpu")


def held(metric: FeatureMetric, name: str) -> Any:
    """Return a state of a metric."""
    return getattr(metric, name)


def statistics(folder: Path, dataset: TinyDataset, backbone: Corners | None = None) -> Any:
    prepared = backbone or Corners()
    prepared.prepare(dataset, CPU)
    return RealStatistics(dataset, FeaturePass(prepared, CPU, 32), folder)


def test_metrics_of_one_state_share_a_file_and_a_pass(tmp_path: Path, dataset: TinyDataset) -> None:
    metrics = {"kid": KernelDistance(), "pr": Neighbours(), "fid": FrechetDistance()}
    statistics(tmp_path, dataset).load(metrics, Role.REAL, "train")
    assert dataset.passes == ["train"]
    assert len(list(tmp_path.iterdir())) == 2
    first, second = metrics["kid"], metrics["pr"]
    assert isinstance(first, FeatureSetMetric)
    assert isinstance(second, FeatureSetMetric)
    assert first.pool(Role.REAL).equal(second.pool(Role.REAL))
    assert first.labels(Role.REAL).equal(dataset.split("train").labels)  # type: ignore[arg-type]
    new = {"fid": FrechetDistance()}
    statistics(tmp_path, dataset).load(new, Role.REAL, "train")
    assert dataset.passes == ["train"]
    assert int(held(new["fid"], "real_count")) == 200


def test_only_the_readers_of_a_role_are_loaded(tmp_path: Path, dataset: TinyDataset) -> None:
    copies, fid = Memorisation(), FrechetDistance()
    statistics(tmp_path, dataset).load({"c": copies, "f": fid}, Role.UNSEEN, "test")
    assert copies.pool(Role.UNSEEN).shape == (100, 4)
    assert copies.real_pool == []
    assert int(held(fid, "real_count")) == 0


def test_a_file_without_a_state_is_computed_again(tmp_path: Path, dataset: TinyDataset) -> None:
    found = statistics(tmp_path, dataset)
    for content, passes in (({"count": 1.0}, 1), ({}, 2)):
        path = found.path("train", FrechetDistance().cache_key)
        cache.save(path, content)
        found.load({"fid": FrechetDistance()}, Role.REAL, "train")
        assert len(dataset.passes) == passes
        assert (cache.load(path) or {}).keys() == {"count", "sum", "outer"}
    found.load({"fid": FrechetDistance()}, Role.REAL, "train")
    assert len(dataset.passes) == 2


def test_the_name_of_a_file_has_all_that_it_depends_on(
    tmp_path: Path, dataset: TinyDataset
) -> None:
    half, large, other = Corners(), Corners(), Corners()
    half.in_bfloat16, large.resize = True, "large"
    other.extra = torch.nn.Parameter(torch.ones(1))
    paths = [statistics(tmp_path, dataset, b).path("train", "x") for b in (half, large, other)]
    plain = statistics(tmp_path, dataset)
    paths += [plain.path("train", "x"), plain.path("test", "x"), plain.path("train", "y")]
    assert len(set(paths)) == 6
    assert plain.path("train", "x") == statistics(tmp_path, dataset).path("train", "x")
    assert all(path.parent == tmp_path for path in paths)
    assert all(path.name.startswith("reals-corners-") for path in paths)


def test_the_baseline_is_computed_anew_for_other_metrics_and_content(
    tmp_path: Path, dataset: TinyDataset
) -> None:
    def baseline(**metrics: FeatureMetric) -> dict[str, float]:
        found = statistics(tmp_path, dataset)
        found.load(metrics, Role.REAL, "train")
        dataset.passes.clear()
        values: dict[str, float] = found.baseline(metrics, "train", "test")
        return values

    first = baseline(kid=KernelDistance(3, 20))
    assert dataset.passes == ["test"]
    assert baseline(kid=KernelDistance(3, 20)) == first
    assert dataset.passes == []
    assert baseline(kid=KernelDistance(4, 20)) != first
    assert dataset.passes == ["test"]
    found = statistics(tmp_path, dataset)
    settings = f"features {KernelDistance(3, 20).stamp()}"
    path = found.path("train", "baseline", dataset.fingerprint("test"), settings)
    assert cache.load(path) == first
    cache.save(path, {"corners/kid": 1.0, "other": "text"})
    assert baseline(kid=KernelDistance(3, 20)) == first


class Begun(FrechetDistance):
    """FID that notes how its measurement begins."""

    def begin(self, total: int, position: int = 0) -> None:
        super().begin(total, position)
        self.place = (total, position)


@pytest.mark.parametrize(("rank", "start", "count"), [(0, 0, 34), (1, 34, 33), (2, 67, 33)])
def test_a_process_reads_its_share(
    tmp_path: Path,
    dataset: TinyDataset,
    monkeypatch: pytest.MonkeyPatch,
    rank: int,
    start: int,
    count: int,
) -> None:
    metric = Begun()
    found = statistics(tmp_path, dataset)
    found.load({"fid": metric}, Role.REAL, "train")
    monkeypatch.setattr(processes, "rank", lambda: rank)
    monkeypatch.setattr(processes, "world_size", lambda: 3)
    shares = torch.cat([images for images, _ in found.shard("test")])
    pixels = dataset.split("test").pixels[start : start + count].float() / 127.5 - 1
    assert shares.equal(pixels)
    found._baseline([metric], "test")
    assert metric.place == (100, start)
    assert int(held(metric, "fake_count")) == 0  # reset after it is computed
    found._save(tmp_path / "saved.pt", {"a": 1.0})
    assert (tmp_path / "saved.pt").exists() == (rank == 0)


@pytest.mark.parametrize("rank", [0, 1])
def test_one_process_holds_the_real_states(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    metrics = {"fid": FrechetDistance(), "kid": KernelDistance()}
    statistics(tmp_path, dataset).load(metrics, Role.REAL, "train")
    monkeypatch.setattr(processes, "rank", lambda: rank)
    monkeypatch.setattr(processes, "all_gather", lambda value: [value, value])
    statistics(tmp_path, dataset).load(metrics, Role.REAL, "train")
    assert int(held(metrics["fid"], "real_count")) == (200, 0)[rank]
    assert len(torch.cat(held(metrics["kid"], "real_pool"))) == (200, 0)[rank]
    assert held(metrics["kid"], "real_pool")[0].shape[1] == 4


def test_what_another_process_lacks_is_computed_together(
    tmp_path: Path, dataset: TinyDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = {"fid": FrechetDistance()}
    statistics(tmp_path, dataset).load(metrics, Role.REAL, "train")
    monkeypatch.setattr(processes, "all_gather", lambda value: [value, {"fid"}])
    statistics(tmp_path, dataset).load(metrics, Role.REAL, "train")
    assert dataset.passes == ["train", "train"]


def test_a_measurement_begins_and_is_reset() -> None:
    metric = KernelDistance()
    metric.update(features(torch.ones(5, 2)), Role.REAL)
    metric.update(features(torch.ones(3, 2)), Role.UNSEEN)  # which it does not read
    metric.update(features(torch.ones(4, 2)), Role.FAKE)
    assert not hasattr(metric, "unseen_pool")
    metric.begin(9, 4)
    assert (metric.total, metric.position) == (9, 4)
    assert metric.fake_pool == []
    assert len(metric.pool(Role.REAL)) == 5
    metric.begin(7)
    assert (metric.total, metric.position) == (7, 0)
    assert ClassKept().real_states == {}


def test_states_are_copied_detached_to_a_device() -> None:
    metric = KernelDistance()
    metric.update(features(torch.ones(2, 2, requires_grad=True)), Role.REAL)
    state = metric.real_state(Role.REAL)
    (pool,) = state["pool"]
    assert isinstance(pool, Tensor)
    assert not pool.requires_grad
    assert all(part.device.type == "meta" for part in metric.real_state(Role.REAL, "meta")["pool"])
    fid = FrechetDistance()
    assert fid.real_state(Role.REAL, "meta")["sum"].device.type == "meta"  # type: ignore[union-attr]
    joined = torch.zeros(3, 2)
    metric.load_real_state(Role.REAL, {"pool": joined, "labels": torch.zeros(3)})
    assert isinstance(metric.real_pool, list)
    assert metric.real_pool[0].equal(joined)


def test_batches_are_cut_and_compared() -> None:
    seen: list[tuple[int, int | None]] = []

    class Watched(FrechetDistance):
        def compare(self, outputs: Outputs, features: Any, backbone: Any) -> None:
            assert backbone.name == "corners"
            target = outputs.target
            seen.append((len(outputs.images), None if target is None else len(target)))

    images = torch.zeros(5, 1, 8, 8)
    metric = Watched()
    batches: list[Any] = [Outputs(images, target=images), (images, torch.arange(5))]
    done = FeaturePass(Corners(), CPU, 2).update([metric], Role.FAKE, batches, 10, "fakes")
    assert done == 10
    assert seen == [(2, 2), (2, 2), (1, 1), (2, None), (2, None), (1, None)]
    assert int(held(metric, "fake_count")) == 10
