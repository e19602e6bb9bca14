"""What training guarantees, for every model."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning import seed_everything
from torch import Tensor, nn

import gan
from gan.algorithms.player import Player
from gan.algorithms.strategy import PlayerwiseDDP
from gan.algorithms.two_player import TwoPlayerGame
from gan.commands.models import ModelConfig
from gan.commands.train import train
from gan.layers.synchronised import SynchronisedBatchNorm
from gan.settings.trust import build
from tests.commands.test_train import SMALL, WIDTHS, resume
from tests.configs import options, thinned
from tests.conftest import Compose

SLOW = ["optimizer=sgd", *(f"optimizer.{p}.lr=0.001" for p in ("generator", "discriminator"))]
SOME = pytest.mark.parametrize("model", thinned(options("model"), keep=6))


def translates(model: str) -> bool:
    """Return whether a model turns images into images: it has no latents."""
    return "prior" not in ModelConfig(model, "digits").config.model


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


@SOME
def test_an_update_leaves_the_opponent_unchanged_bit_for_bit(
    config: Compose, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    updating, turns = TwoPlayerGame.updating, list[tuple[str, bool]]()
    players: list[str] = []

    @contextmanager
    def watched(game: TwoPlayerGame[Any], player: Player) -> Iterator[None]:
        before, mine = copied(player.opponent), copied(player.network)
        with updating(game, player):
            yield
        assert not changed(player.opponent, before)
        assert all(p.grad is None and p.requires_grad for p in player.opponent.parameters())
        turns.append((player.name, bool(changed(player.network, mine))))
        players[:] = [player.name for player in reversed(game.players)]

    monkeypatch.setattr(TwoPlayerGame, "updating", watched)
    train(config(*brief(model), "steps=4"))
    alone = {"srgan": 2}.get(model, 0)  # updates of G before its adversarial term begins
    assert [name for name, _ in turns] == alone * ["generator"] + (4 - alone) * players
    assert {name for name, moved in turns if moved} == set(players)
    assert all(moved for name, moved in turns if name == "generator")


@SOME
def test_a_resumed_run_equals_an_uninterrupted_one(
    config: Compose, tmp_path: Path, model: str
) -> None:
    resume(config, tmp_path, [*brief(model), "callbacks.telemetry.every=1"], steps=4)


@SOME
def test_half_precision_trains(config: Compose, tmp_path: Path, model: str) -> None:
    train(config(*brief(model), "accelerator=cpu_amp"))
    weights = list(gan.load(tmp_path / "run", kind=None).parameters())
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in weights)


def fitted(node: DictConfig, devices: int) -> dict[str, Tensor]:
    """Return the state of a game after training in 64 bits, in one process or several."""
    seed_everything(0, verbose=False)
    game, data = build(node.model).double(), build(node.data)
    SynchronisedBatchNorm.convert(game)
    pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy=PlayerwiseDDP(start_method="fork") if devices > 1 else "auto",
        precision="64-true",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
    ).fit(game, datamodule=data)
    return copied(game)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize(
    "model",
    [
        *(name for name in options("model") if translates(name)),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("contragan", "reacgan")),
    ],
)
def test_two_processes_equal_one(config: Compose, model: str) -> None:
    """A game on images draws nothing that depends on the process, nor do contrastive ones."""
    node = config(*brief(model), "steps=6", "batch_size=4", *SLOW)
    one, two = (fitted(node, devices) for devices in (1, 2))
    difference = {key: float((one[key] - two[key]).abs().max()) for key in one}
    assert max(difference.values()) < 1e-10
