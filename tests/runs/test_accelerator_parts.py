"""The trainer of a run, and settings of devices that are refused, without a run."""

from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import OmegaConf

from gan.algorithms.strategy import PlayerwiseDDP
from gan.callbacks.early_stopping import EarlyStopping
from gan.errors import InputError
from gan.runs import accelerator
from gan.runs.accelerator import SrunEnvironment
from gan.tasks import Task

TASK = Task(number=1, local=0, node=1, count=2, nodes=2)
NODE = {"accelerator": "cpu", "devices": 1, "strategy": "auto", "precision": "32-true"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be no task of SLURM, and no process of torchrun."""
    for name in ("SLURM_JOB_ID", "SLURM_STEP_NUM_TASKS", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


def refused(check: Any, given: Any, words: str | None) -> None:
    if words is None:
        check(given)
    else:
        with pytest.raises(InputError, match=words):
            check(given)


@pytest.mark.parametrize(
    ("kind", "there", "words"),
    [("gpu", False, "no GPU was found"), ("gpu", True, None), ("cpu", False, None)],
)
def test_gpus(kind: str, there: bool, words: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    refused(accelerator._check_gpu, {"accelerator": kind}, words)


BF16 = "this CPU has no instructions"


@pytest.mark.parametrize(
    ("kind", "precision", "gpu", "lacks", "words"),
    [
        ("cpu", "bf16-mixed", False, True, BF16),
        ("cpu", "bf16", True, True, BF16),
        ("auto", "bf16-mixed", False, True, BF16),
        ("auto", "bf16-mixed", True, True, None),
        ("gpu", "bf16-mixed", False, True, None),
        ("cpu", "bf16-mixed", False, False, None),
        ("cpu", "32-true", False, True, None),
        ("cpu", 32, False, True, None),
    ],
)
def test_precision(
    kind: str,
    precision: Any,
    gpu: bool,
    lacks: bool,
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(accelerator, "lacks_bfloat16", lambda: lacks)
    node = {"accelerator": kind, "precision": precision}
    refused(accelerator._check_precision, node, words)


@pytest.mark.parametrize(
    ("nodes", "task", "world", "words"),
    [
        (None, None, None, None),
        (1, None, None, None),
        (0, None, None, "num_nodes=0: give a number from 1"),
        (2, None, None, "start train.py on each machine with torchrun"),
        (2, None, "4", None),
        (2, TASK, None, None),
        (1, TASK, None, "give accelerator.num_nodes=2"),
        (3, TASK, None, "srun has started tasks on 2"),
        (None, TASK, None, "num_nodes=1: srun has started tasks on 2"),
    ],
)
def test_machines(
    nodes: int | None,
    task: Task | None,
    world: str | None,
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accelerator, "current_task", lambda: task)
    if world is not None:
        monkeypatch.setenv("WORLD_SIZE", world)
    refused(accelerator._check_nodes, {} if nodes is None else {"num_nodes": nodes}, words)


@pytest.mark.parametrize(
    ("size", "ddp", "task", "devices", "words"),
    [
        (1, False, None, 1, None),
        (2, True, None, 2, None),
        (2, False, None, 2, "2 processes train by accelerator=ddp"),
        (4, True, TASK, 2, None),
        (4, True, Task(0, 0, 0, 4, 2), 2, None),
        (6, True, Task(0, 0, 0, 6, 2), 2, "srun has started 3 tasks on each machine"),
    ],
)
def test_processes(
    size: int,
    ddp: bool,
    task: Task | None,
    devices: int,
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accelerator, "current_task", lambda: task)
    strategy = PlayerwiseDDP() if ddp else object()
    trainer = SimpleNamespace(world_size=size, strategy=strategy, num_devices=devices)
    refused(accelerator._check_processes, trainer, words)


def test_how_processes_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert accelerator._plugins() == []
    monkeypatch.setenv("SLURM_JOB_ID", "3")
    (found,) = accelerator._plugins()
    assert type(found) is LightningEnvironment
    monkeypatch.setattr(accelerator, "current_task", lambda: TASK)
    (found,) = accelerator._plugins()
    assert (type(found), found.task) == (SrunEnvironment, TASK)
    monkeypatch.setattr(TorchElasticEnvironment, "detect", lambda: True)
    assert accelerator._plugins() == []


def test_an_address_that_is_given_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NODELIST", "gpu[07-08]")
    monkeypatch.setenv("SLURM_JOB_ID", "29000")
    monkeypatch.setenv("SLURM_STEP_ID", "1000")
    found = SrunEnvironment(TASK)
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert (found.main_address, found.main_port) == ("gpu07", 15000)
    monkeypatch.setenv("MASTER_ADDR", "first")
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert (found.main_address, found.main_port) == ("first", 29500)


@pytest.mark.parametrize("kind", [MisconfigurationException, ValueError, TypeError, AttributeError])
def test_what_lightning_refuses_is_one_line(kind: type[Exception]) -> None:
    with pytest.raises(InputError) as caught, accelerator._refusals():
        raise kind("many words " * 50)
    words = str(caught.value)
    assert words.startswith("accelerator and trainer: Lightning refuses them: many words")
    assert words.endswith("words ...")
    assert 200 < len(words) < 230


def test_the_trainer_of_a_run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(pl, "Trainer", lambda **named: given.append(named))
    monkeypatch.setattr(accelerator, "_check_processes", lambda trainer: None)
    monkeypatch.setattr(accelerator, "_plugins", lambda: ["plugin"])
    config = OmegaConf.create(
        {
            **{"allow_targets": [], "run_dir": "run", "accelerator": {**NODE, "fold": True}},
            "trainer": {"max_time": "1h"},
        }
    )
    callback, table = EarlyStopping(), object()
    accelerator.make_trainer(config, [callback], table)  # type: ignore[arg-type]
    config.accelerator.num_nodes = 1
    accelerator.make_trainer(config, [callback], table)  # type: ignore[arg-type]
    quiet = ("enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    assert given[0] == given[1]
    assert given[0] == {
        **NODE,
        **{"num_nodes": 1, "plugins": ["plugin"], "max_time": "1h", "max_epochs": 1},
        **{"log_every_n_steps": 1, "limit_val_batches": 0, "num_sanity_val_steps": 0},
        **dict.fromkeys([*quiet, "use_distributed_sampler"], False),
        **{"callbacks": [callback], "logger": [table], "default_root_dir": "run"},
    }


@pytest.mark.parametrize("check", ["_check_gpu", "_check_precision", "_check_nodes"])
def test_settings_are_checked_before_a_trainer_is_made(
    check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(node: Any) -> None:
        assert node["devices"] == 1
        raise InputError(check)

    monkeypatch.setattr(accelerator, check, refuse)
    config = OmegaConf.create({"allow_targets": [], "accelerator": NODE, "trainer": {}})
    with pytest.raises(InputError, match=check):
        accelerator.make_trainer(config, [], object())  # type: ignore[arg-type]
