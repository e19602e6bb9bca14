"""What training guarantees, for every model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gan
from gan.algorithms.player import Player
from gan.algorithms.two_player import TwoPlayerGame
from gan.commands.train import train
from gan.conditioning.auxiliary import AuxiliaryHead, ClassHead
from gan.layers.deviation import MinibatchStdDev
from gan.layers.noise import PixelNoise
from gan.settings.trust import build
from tests.commands.test_cli import shell
from tests.commands.test_train import SMALL, WIDTHS, resume, weights
from tests.configs import options
from tests.conftest import Compose

MODELS = pytest.mark.parametrize("model", options("model"))


def brief(model: str) -> list[str]:
    """Return the overrides of a short run of a small model."""
    return [f"model={model}", "data=digits", "n_critic=1", *SMALL.get(model, WIDTHS)]


def copied(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of weights and buffers."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(network: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """Return the names of weights and buffers that differ from a copy."""
    return {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }


@MODELS
def test_an_update_leaves_the_opponent_unchanged_bit_for_bit(
    config: Compose, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    updating, turns = TwoPlayerGame.updating, []

    @contextmanager
    def watched(game: TwoPlayerGame[Any], player: Player) -> Iterator[None]:
        before, mine = copied(player.opponent), copied(player.network)
        with updating(game, player):
            yield
        assert not changed(player.opponent, before)
        assert all(p.grad is None and p.requires_grad for p in player.opponent.parameters())
        turns.append((player.name, bool(changed(player.network, mine))))

    monkeypatch.setattr(TwoPlayerGame, "updating", watched)
    train(config(*brief(model), "steps=4"))
    assert [name for name, _ in turns] == 4 * ["discriminator", "generator"]
    assert {turn for turn in turns if turn[1]} == {("discriminator", True), ("generator", True)}
    assert all(moved for name, moved in turns if name == "generator")


@MODELS
def test_a_resumed_run_equals_an_uninterrupted_one(
    config: Compose, tmp_path: Path, model: str
) -> None:
    resume(config, tmp_path, [*brief(model), "callbacks.telemetry.every=1"], steps=4)


@MODELS
def test_half_precision_trains(config: Compose, tmp_path: Path, model: str) -> None:
    train(config(*brief(model), "accelerator=cpu_amp"))
    weights = list(gan.load(tmp_path / "run", kind=None).parameters())
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in weights)


def draws_or_compares(module: nn.Module) -> bool:
    """Return whether a layer draws numbers for a device, or compares its images."""
    compares = isinstance(module, ClassHead) and not isinstance(module, AuxiliaryHead)
    return compares or isinstance(module, nn.Dropout | PixelNoise | MinibatchStdDev)


@pytest.mark.slow
@MODELS
def test_two_processes_equal_one(config: Compose, tmp_path: Path, model: str) -> None:
    given = [*brief(model), "steps=2", "batch_size=8", "optimizer=sgd", "metrics=[]"]
    if any(draws_or_compares(module) for module in build(config(*given).model).modules()):
        pytest.skip("a layer draws numbers for a device, or compares its images")
    states = []
    for accelerator in ("cpu", "ddp_cpu"):
        run = tmp_path / accelerator
        ended = shell("train.py", *given, f"accelerator={accelerator}", f"hydra.run.dir={run}")
        assert ended.returncode == 0, ended.stderr
        states.append(weights(run))
    for name, one in states[0].items():
        torch.testing.assert_close(states[1][name], one, rtol=1e-3, atol=1e-5, msg=name)
