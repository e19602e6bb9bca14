"""The devices and the precision of training."""

import logging
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from lightning_utilities.core.rank_zero import rank_zero_only
from omegaconf import OmegaConf

from gan.commands.train import train
from gan.errors import InputError
from gan.layers.folding import FoldedConv2d
from gan.layers.winograd import SameConv2d
from gan.loggers.table import Table
from gan.runs import accelerator, training
from gan.runs.accelerator import SrunEnvironment, make_trainer
from gan.tasks import Task, current_task
from tests.configs import ROOT
from tests.conftest import Compose

GIVEN = ["accelerator=cpu_amp", "accelerator.precision=bf16-mixed"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="accelerator=auto takes the GPU")
@pytest.mark.parametrize("given", GIVEN)
def test_bfloat16_without_instructions_is_refused(
    config: Compose, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(accelerator, "lacks_bfloat16", lambda: True)
    with pytest.raises(InputError, match=r"bf16-mixed: this CPU has no .* accelerator=cpu$"):
        train(config("model=mlp", given))


@pytest.mark.parametrize("fold", [True, False])
def test_folds_are_a_setting(config: Compose, monkeypatch: pytest.MonkeyPatch, fold: bool) -> None:
    called: list[bool] = []
    plain = FoldedConv2d.forward

    def record(self: FoldedConv2d, x: torch.Tensor) -> torch.Tensor:
        called.append(self.fold)
        return plain(self, x)

    monkeypatch.setattr(FoldedConv2d, "forward", record)
    train(
        config(
            "model=sngan",
            "size=tiny",
            "steps=1",
            "metrics=[]",
            f"accelerator.fold={str(fold).lower()}",
        )
    )
    assert called
    assert set(called) == {fold}


@pytest.mark.parametrize("fast", [True, False])
def test_winograd_is_a_setting(
    config: Compose, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    seen: list[bool] = []
    plain = SameConv2d.same_conv2d

    def record(self: SameConv2d, *given: torch.Tensor) -> torch.Tensor:
        seen.append(self.winograd)
        return plain(self, *given)

    monkeypatch.setattr(SameConv2d, "same_conv2d", record)
    overrides = ["size=tiny", "steps=1", "metrics=[]", f"accelerator.winograd={str(fast).lower()}"]
    train(config("model=stylegan2", *overrides))
    assert seen
    assert set(seen) == {fast}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["accelerator=ddp_cpu", "accelerator.num_nodes=2"], "with torchrun --nnodes 2 or srun"),
        (["accelerator.num_nodes=0"], "num_nodes=0: give a number from 1"),
        (["accelerator.devices=2"], "^accelerator: 2 processes train by accelerator=ddp, .*"),
        (["accelerator.num_nodes=2"], "^accelerator: 2 processes train by accelerator=ddp, .*"),
        (["accelerator.devices=0"], "Lightning refuses them: .*devices=0"),
        (["accelerator.devices=-1"], "should be an int > 0"),
        (["accelerator.devices=[0]"], "should be an int > 0"),
        (["accelerator.strategy=typo"], "strategy=typo: several devices train by accelerator=ddp"),
        (["accelerator.precision=typo"], "precision=typo: give one of 32-true"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_processes_that_cannot_be_are_refused(
    config: Compose, monkeypatch: pytest.MonkeyPatch, given: list[str], words: str
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(InputError, match=words):
        train(config("model=mlp", "data=digits", *given))


def srun_of(monkeypatch: pytest.MonkeyPatch, **changed: int) -> None:
    """Let this process be the last task of two, one on each of two machines."""
    task = {"PROCID": 1, "LOCALID": 0, "NODEID": 1, "STEP_NUM_TASKS": 2, "STEP_NUM_NODES": 2}
    task |= {"JOB_ID": 40000, "STEP_ID": 3, **changed}
    for name, value in task.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("SLURM_STEP_NODELIST", "gpu[07-08]")
    for name in ("MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    # Lightning sets it for the process, and loggers of later tests read it
    monkeypatch.setattr(rank_zero_only, "rank", 0, raising=False)


def test_processes_of_srun_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    srun_of(monkeypatch)
    task = current_task()
    assert task == Task(number=1, local=0, node=1, count=2, nodes=2)
    found = SrunEnvironment(task)
    assert (found.main_address, found.main_port) == ("gpu07", 15000 + 40003 % 15000)
    assert (found.node_rank(), found.local_rank()) == (1, 0)
    assert not found.creates_processes_externally  # it starts those of its further devices
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert (found.local_rank(), found.creates_processes_externally) == (3, True)
    many = SrunEnvironment(Task(number=13, local=5, node=1, count=16, nodes=2))
    assert (many.node_rank(), many.local_rank(), many.creates_processes_externally) == (1, 5, True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert current_task() is None


@pytest.mark.parametrize(
    ("given", "changed", "words"),
    [
        ([], {}, "num_nodes=1: srun has started tasks on 2: give accelerator.num_nodes=2"),
        (["accelerator.num_nodes=2"], {"STEP_NUM_TASKS": 6}, "devices=2: .* 3 tasks on each"),
    ],
)
def test_tasks_without_a_device_are_refused(
    config: Compose,
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    changed: dict[str, int],
    words: str,
) -> None:
    srun_of(monkeypatch, **changed)
    with pytest.raises(InputError, match=words):
        train(config("model=mlp", "data=digits", "accelerator=ddp_cpu", *given))


PLAYERS = ["model.generator.hidden=[16]", "model.discriminator.units=[8]"]
RUN = ["train.py", "experiment=mlp_2014", *PLAYERS, "model.discriminator.dropout=0", "data=digits"]
RUN += ["metrics=[]", "batch_size=8", "steps=6", "accelerator=ddp_cpu"]


def by_torchrun(port: int, node: int) -> tuple[list[str], dict[str, str]]:
    """Return the command before that of a run, and the environment, of a machine."""
    agent = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-id=two"]
    agent += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--local-addr=127.0.0.1"]
    return agent, {}


def by_srun(port: int, node: int) -> tuple[list[str], dict[str, str]]:
    """Return the same for one task a machine."""
    task = {"PROCID": node, "LOCALID": 0, "NODEID": node, "STEP_NUM_TASKS": 2, "STEP_NUM_NODES": 2}
    task |= {"JOB_ID": port - 15000, "STEP_ID": 0}
    variables = {f"SLURM_{name}": str(value) for name, value in task.items()}
    return [], {**variables, "SLURM_STEP_NODELIST": "localhost"}


def free_port() -> int:
    """Return a free port among those that the tasks of SLURM agree on."""
    while True:
        port = 15000 + find_free_network_port() % 15000
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("", port))
            return port


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints" / "last.ckpt")["state_dict"]
    return state


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Return the weights of a run of two processes on one machine."""
    run = tmp_path_factory.mktemp("one") / "run"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *RUN, f"hydra.run.dir={run}"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return weights(run)


def test_a_run_from_before_there_were_several_machines_has_one(config: Compose) -> None:
    node = config("model=mlp", "data=digits")
    older = {k: v for k, v in node.accelerator.items() if k != "num_nodes"}
    assert len(older) < len(node.accelerator)
    node._set_item_impl("accelerator", OmegaConf.create(older))
    assert make_trainer(node, [], Table(Path(node.run_dir) / "metrics.csv")).num_nodes == 1


def test_what_libraries_warn_of_is_one_line(
    config: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "formatwarning", None)
    monkeypatch.setattr(training, "_data", lambda config: 1 / 0)
    logger = logging.getLogger("pytorch_lightning")
    monkeypatch.setattr(logger, "level", logging.INFO)
    with pytest.raises(ZeroDivisionError):
        training.train(config("model=mlp", "data=digits"))
    assert warnings.formatwarning("no", UserWarning, "library.py", 3) == "warning: no\n"
    assert logger.level == logging.WARNING


@pytest.mark.slow
@pytest.mark.xdist_group("machines")
@pytest.mark.parametrize(
    ("start", "devices", "tolerance"),
    [(by_torchrun, 1, 0.0), (by_srun, 1, 0.0), (by_srun, 2, 1e-6)],
)
def test_two_machines_equal_one(
    one: dict[str, torch.Tensor],
    tmp_path: Path,
    start: Callable[[int, int], tuple[list[str], dict[str, str]]],
    devices: int,
    tolerance: float,
) -> None:
    """Two machines, played by this one, against two processes of one."""
    given = [f"accelerator.devices={devices}", "accelerator.num_nodes=2"]
    port, started = free_port(), []
    for node in range(2):
        before, variables = start(port, node)
        command = [sys.executable, *before, *RUN, *given, f"hydra.run.dir={tmp_path}/many"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
    assert [process.wait(timeout=400) for process in started] == [0, 0]
    many = weights(tmp_path / "many")
    assert many.keys() == one.keys()
    assert max(float((many[k].float() - one[k].float()).abs().max()) for k in one) <= tolerance
    assert len((tmp_path / "many" / "metrics.csv").read_text().splitlines()) == 3  # of one writer
