"""The devices and the precision of training."""

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from omegaconf import OmegaConf

from gan.commands.train import train
from gan.errors import InputError
from gan.layers.folding import FoldedConv2d
from gan.layers.winograd import SameConv2d
from gan.runs import training
from tests.configs import ROOT
from tests.conftest import Compose

GIVEN = ["accelerator=cpu_amp", "accelerator.precision=bf16-mixed"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="accelerator=auto takes the GPU")
@pytest.mark.parametrize("given", GIVEN)
def test_bfloat16_without_instructions_is_refused(
    config: Compose, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(training, "lacks_bfloat16", lambda: True)
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


@pytest.mark.parametrize(("nodes", "words"), [(2, "with torchrun --nnodes 2"), (0, "from 1")])
def test_machines_that_nothing_has_started_are_refused(
    config: Compose, monkeypatch: pytest.MonkeyPatch, nodes: int, words: str
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(InputError, match=words):
        train(config("model=mlp", "data=digits", f"accelerator.num_nodes={nodes}"))


def test_a_run_from_before_there_were_several_machines_has_one(config: Compose) -> None:
    node = config("model=mlp", "data=digits")
    older = {k: v for k, v in node.accelerator.items() if k != "num_nodes"}
    assert len(older) < len(node.accelerator)
    node._set_item_impl("accelerator", OmegaConf.create(older))
    assert training._trainer(node, [], []).num_nodes == 1


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
def test_two_machines_equal_one(tmp_path: Path) -> None:
    """Two agents of torchrun on one machine, with a process each, against two processes."""
    port = find_free_network_port()
    agent = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-id=two"]
    agent += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--local-addr=127.0.0.1"]
    players = ["model.generator.hidden=[16]", "model.discriminator.units=[8]"]
    settings = ["train.py", "model=mlp", *players, "model.discriminator.dropout=0", "data=digits"]
    settings += ["metrics=[]", "batch_size=8", "steps=6", "accelerator=ddp_cpu"]
    many = ["accelerator.devices=1", "accelerator.num_nodes=2", f"hydra.run.dir={tmp_path}/many"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    agents = [
        subprocess.Popen([sys.executable, *agent, *settings, *many], cwd=ROOT, env=environment)
        for _ in range(2)
    ]
    assert [agent.wait(timeout=200) for agent in agents] == [0, 0]
    one = [sys.executable, *settings, f"hydra.run.dir={tmp_path}/one"]
    subprocess.run(one, cwd=ROOT, env=environment, check=True)
    weights = [
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt")["state_dict"]
        for run in ("many", "one")
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
