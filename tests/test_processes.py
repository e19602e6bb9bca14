"""Two processes, each with half of the fakes, give the same results as one."""

import multiprocessing
import sys
from pathlib import Path

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
