"""Each preset that trains on a CPU resumes exactly, and two processes equal one under it.

Networks have no batch statistics, so that halves of a batch are independent.
"""

import math
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import nn

from benchmarks.training import Images
from gan import processes
from gan.algorithms.strategy import PlayerwiseDDP
from gan.algorithms.two_player import TwoPlayerGame
from gan.commands.train import train
from gan.layers import pooled_products, winograd
from gan.runs import accelerator
from gan.runs.training import accelerate
from gan.settings.trust import build
from tests.configs import ROOT, options
from tests.conftest import Compose
from tests.runs.test_survival import differences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no fork"),
]

STEPS, BATCH = 4, 8
RESNET = ["model=sngan", "size=tiny", "model.generator.width=8", "model.discriminator.width=8"]
RESNET += ["n_critic=1", "schedule=constant"]
# compiled within seconds
MLP = ["experiment=mlp_2014", "size=tiny", "model.discriminator.dropout=0"]
SHARED = ["data=digits", f"batch_size={BATCH}", "optimizer=sgd", "callbacks=[checkpoints]"]
SHARED += ["optimizer.generator.lr=0.01", "optimizer.discriminator.lr=0.01", "doctor=null"]
SWITCHES = ("fold", "winograd", "checkpoint")


def switched(*on: bool) -> list[str]:
    """Return overrides of the forms of the networks."""
    pairs = zip(SWITCHES, on, strict=True)
    return [f"accelerator.{name}={str(value).lower()}" for name, value in pairs]


# Preset, overrides, largest distance between the weights of one process and of two, over that from
# the start, or `None` where none is claimed. In bfloat16 each process rounds its gradient, by 2^-9.
CASES = [
    *(("cpu", [*RESNET, *switched(*on)], 1e-5) for on in product([True, False], repeat=3)),
    ("auto", RESNET, 1e-5),
    ("cpu_amp", [*RESNET, *switched(True, True, False)], 1e-1),
    ("cpu_amp", [*RESNET, *switched(False, False, True)], 1e-1),
    ("fast", MLP, None),
]
PAIRED = [case for case in CASES if case[2] is not None]


def name(case: tuple[str, list[str], float | None]) -> str:
    """Return the preset and the forms of a case."""
    preset, given, _ = case
    return "-".join([preset, *(o.partition(".")[2] for o in given if o.startswith("accelerator"))])


def test_every_preset_of_a_cpu_is_tried() -> None:
    texts = {name: (ROOT / f"conf/accelerator/{name}.yaml").read_text() for name in PRESETS}
    on_cpu = {name for name, text in texts.items() if "accelerator: gpu" not in text}
    assert on_cpu - {"ddp_cpu"} == {preset for preset, _, _ in CASES}


PRESETS = options("accelerator")


@pytest.fixture(autouse=True)
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the forms with fewer products pay in small networks, and bfloat16 be there."""
    monkeypatch.setattr(pooled_products, "LEAST_CHANNELS", 1)
    monkeypatch.setattr(winograd, "LEAST_PIXELS", 8)
    monkeypatch.setattr(winograd, "LEAST_CHANNELS", 1)
    monkeypatch.setattr(accelerator, "lacks_bfloat16", lambda: False)


class Shares(Images):
    """Other images in each step, of which each process gets its share."""

    def __iter__(self) -> Iterator[list[Any]]:
        torch.manual_seed(1)
        for _ in range(self.steps):
            images, labels = self.labelled(self.resolution)
            share = self.batch // processes.world_size()
            own = slice(share * processes.rank(), share * (processes.rank() + 1))
            yield [(images[own], labels[own])]


def without_statistics(game: TwoPlayerGame) -> TwoPlayerGame:
    """Return a game without the batch normalisation of its networks."""
    for network in list(game.modules()):
        for name, inner in network.named_children():
            if isinstance(inner, nn.BatchNorm2d):
                setattr(network, name, nn.Identity())
    return game


def made(config: DictConfig) -> TwoPlayerGame:
    """Return a new game, always the same."""
    torch.manual_seed(0)
    game = without_statistics(build(config.model, []))
    accelerate(game, config.accelerator)
    return game


def distance(one: TwoPlayerGame, other: TwoPlayerGame) -> float:
    """Return the Euclidean distance between the states of two games."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return math.sqrt(sum(float((a.double() - b.double()).square().sum()) for a, b in pairs))


def trained(config: DictConfig, devices: int) -> TwoPlayerGame:
    """Return a game after training in one process, or several."""
    game = made(config)
    pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy=PlayerwiseDDP(start_method="fork") if devices > 1 else "auto",
        precision=config.accelerator.precision,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
    ).fit(game, Shares(STEPS, 1, BATCH, None, config.data.channels, config.data.resolution))
    return game


@pytest.mark.parametrize(("preset", "given", "tolerance"), PAIRED, ids=map(name, PAIRED))
def test_two_processes_equal_one(
    config: Compose, preset: str, given: list[str], tolerance: float
) -> None:
    chosen = config(f"accelerator={preset}", *SHARED, *given)
    two, one = (trained(chosen, devices) for devices in (2, 1))
    found = distance(one, two) / distance(one, made(chosen))
    print(f"{preset}: distance over that from the start {found:.1e}")
    assert found < tolerance


@pytest.mark.parametrize(("preset", "given", "tolerance"), CASES, ids=map(name, CASES))
def test_a_resumed_run_equals_an_uninterrupted_one(
    config: Compose, tmp_path: Path, preset: str, given: list[str], tolerance: float | None
) -> None:
    common = [f"accelerator={preset}", "metrics=[]", *SHARED, *given]
    for name, steps, more in (
        ("whole", STEPS, []),
        ("run", STEPS // 2, []),
        ("run", STEPS, [f"resume={tmp_path / 'run'}"]),
    ):
        run = [f"steps={steps}", f"run_dir={tmp_path / name}", *more]
        train(config(*common, *run))
    assert differences(tmp_path / "whole", tmp_path / "run") == []
