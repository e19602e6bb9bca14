"""Two processes, each with half of the fakes, give the same results as one."""

import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from gan import processes
from gan.metrics.kernel import KernelDistance
from gan.metrics.neighbours import Neighbours
from tests.metrics.tiny_data import domain, evaluation, tiny_dataset


def fakes() -> torch.Tensor:
    return torch.rand(41, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def measure(cache: Path) -> dict[str, float]:
    """Return the values of this process, and those of one process with all fakes."""
    result = evaluation(cache, domain(cache), 41)
    result.metrics |= {"kid": KernelDistance(5, 20), "neighbours": Neighbours()}
    result.prepare(tiny_dataset(), torch.device("cpu"))
    shard = torch.tensor_split(fakes(), processes.world_size())[processes.rank()]
    values = result.measure([(shard, None)], 21 * processes.rank())
    baseline = result.baseline() or {}
    return values | {f"baseline/{key}": value for key, value in baseline.items()}


def work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2
    )
    for turn in ("computed", "cached"):
        torch.save(measure(folder / "two"), folder / f"{turn}{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_two_processes_equal_one(tmp_path: Path) -> None:
    expected = measure(tmp_path / "one")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(rank, tmp_path)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    for turn in ("computed", "cached"):
        for rank in (0, 1):
            values = torch.load(tmp_path / f"{turn}{rank}.pt")
            assert values == pytest.approx(expected, rel=1e-5), (turn, rank)


def test_a_single_process() -> None:
    assert (processes.rank(), processes.world_size()) == (0, 1)
    assert processes.all_gather("value") == ["value"]


class Peers:
    """Stands for three processes of which this one is the second; others have multiples.

    Process k has k + 1 times the tensors of the first.
    """

    def __init__(self, initialized: bool = True) -> None:
        self.initialized, self.called = initialized, list[str]()

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return self.initialized

    def get_rank(self) -> int:
        return 1

    def get_world_size(self) -> int:
        return 3

    def all_gather_object(self, values: list[Any], value: Any) -> None:
        self.called.append("gather objects")
        assert values == [value] * 3
        values[:] = [f"{value}{k}" for k in range(3)]

    def all_gather(self, parts: list[torch.Tensor], tensor: torch.Tensor) -> None:
        assert tensor.is_contiguous()
        for k, part in enumerate(parts):
            part.copy_(tensor / 2 * (k + 1))

    def all_reduce(self, tensor: torch.Tensor) -> None:
        self.called.append("reduce")
        tensor.mul_(3)  # (1 + 2 + 3) / 2 times that of this process

    def broadcast(self, tensor: torch.Tensor, source: int) -> None:
        assert source == 0
        tensor.div_(2)


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Peers:
    found = Peers()
    monkeypatch.setattr(processes, "distributed", found)
    monkeypatch.setattr(processes, "all_reduce", lambda values: 3 * values)
    rows = [0.5, 1.0, 1.5]
    monkeypatch.setattr(processes, "all_gather_rows", lambda tensor: [k * tensor for k in rows])
    return found


def test_values_of_three_processes(peers: Peers) -> None:
    x = torch.arange(6.0).view(2, 3).T
    assert (processes.rank(), processes.world_size()) == (1, 3)
    assert processes.all_gather("v") == ["v0", "v1", "v2"]
    for joined in (processes.concatenate(x), processes.gather(x)):
        assert joined.equal(torch.cat([x / 2, x, 1.5 * x]))
    assert not processes.concatenate(x.clone().requires_grad_()).requires_grad
    assert processes.mean(x).equal(x)
    parts = [torch.ones(2, 2), torch.full((3,), 4.0)]
    expected = [part.clone() for part in parts]
    processes.average(parts)
    assert peers.called.count("reduce") == 1
    assert all(a.equal(b) for a, b in zip(parts, expected, strict=True))
    processes.average([])
    assert peers.called.count("reduce") == 1
    processes.broadcast(iter(parts))
    assert [float(part.mean()) for part in parts] == [0.5, 2.0]


def test_means_divide_by_the_number_of_processes(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "all_reduce", lambda values: values + 5)
    monkeypatch.setattr(peers, "all_reduce", lambda tensor: tensor.add_(5))
    assert float(processes.mean(torch.tensor(1.0))) == 2.0
    value = torch.tensor([1.0, 4.0])
    processes.average([value])
    assert value.tolist() == [2.0, 3.0]


def test_a_single_process_changes_nothing(peers: Peers) -> None:
    peers.initialized = False
    x = torch.ones(2, requires_grad=True)
    assert processes.concatenate(x) is processes.gather(x) is processes.mean(x) is x
    processes.average([x])
    processes.broadcast([x])
    assert peers.called == []
    assert (processes.rank(), processes.world_size(), processes.all_gather(3)) == (0, 1, [3])


@pytest.mark.parametrize(("rank", "order"), [(0, ["work", "meet"]), (1, ["meet", "work"])])
def test_the_first_process_works_first(
    monkeypatch: pytest.MonkeyPatch, rank: int, order: list[str]
) -> None:
    for fails in (False, True):
        done: list[str] = []
        monkeypatch.setattr(processes, "rank", lambda: rank)
        monkeypatch.setattr(processes, "all_gather", lambda _, done=done: done.append("meet"))
        try:
            with processes.first_process_first():
                done.append("work")
                if fails:
                    raise OSError
        except OSError:
            assert fails
        assert done == order
