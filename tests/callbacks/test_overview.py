from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from gan.callbacks.base import StepCallback
from gan.callbacks.overview import _ACTS, Overview
from gan.layers.winograd import Conv3x3
from tests.callbacks.stage import Scripted, game, metrics, run

Screen = pytest.CaptureFixture[str]


def rows(text: str) -> list[tuple[str, str]]:
    """Return labels and values."""
    pairs = (line.partition(":")[::2] for line in text.splitlines())
    return [(label, value.strip()) for label, value in pairs]


def test_what_a_run_is(capsys: Screen) -> None:
    changes = ["steps=2 instead of 1", "name=b instead of a"]
    players, measuring = game(num_classes=10, n_critic=2), metrics(1.0, every=500)
    forms = ["fold", "winograd", "compile"]  # there is no convolution
    run(players, 2, Overview("runs/[a]", "mlp, The GAN (1914)", 8, changes, forms), measuring)
    shown = rows(capsys.readouterr().out)
    device = dict(shown)["device"]
    generator, critic = (
        sum(p.numel() for p in network.parameters())
        for network in (players.generator, players.discriminator)
    )
    assert device.endswith("threads; precision 32-true; 1 process; compile")
    assert shown == [
        ("model", "mlp, The GAN (1914); game GAN of MLPGenerator and MLPDiscriminator"),
        ("parameters", f"{generator:,} + {critic:,} (G + D)"),
        ("labels", "conditional on 10 labels"),
        ("data", "digits: 1,437 in train; 1 x 8 x 8; 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)"),
        ("training", "2 steps, 8 images a step in each of 2 updates of D"),
        (
            "measuring",
            "score of 25 fakes with script, against split train, every 500 steps and at the end",
        ),
        ("device", device),
        ("run folder", "runs/[a]"),
        ("changed", "steps=2 instead of 1"),
        ("changed", "name=b instead of a"),
    ]


def test_what_a_run_does_not_have(capsys: Screen) -> None:
    run(game(), 1, Overview("runs/a", None, 1))
    shown = dict(rows(capsys.readouterr().out))
    assert shown["model"] == "game GAN of MLPGenerator and MLPDiscriminator"
    assert shown["labels"] == "unconditional, the data's 10 classes unused"
    assert shown["training"] == "1 steps, 1 image a step"
    assert shown["measuring"] == "nothing"
    assert "changed" not in shown


@pytest.mark.parametrize(
    ("device", "precision", "shown"),
    [
        ("cpu", "32-true", {"channels_last", "winograd"}),
        ("cpu", "bf16-mixed", {"channels_last"}),
        ("meta", "32-true", {"channels_last"}),  # in the place of a GPU
    ],
)
def test_forms_that_act(device: str, precision: str, shown: set[str]) -> None:
    players: Any = nn.ModuleList([Conv3x3(4, 4)])
    players.device = torch.device(device)
    trainer: Any = SimpleNamespace(precision=precision)
    assert {name for name, acts in _ACTS.items() if acts(players, trainer)} == shown


def test_other_processes_print_nothing(capsys: Screen) -> None:
    second: Any = SimpleNamespace(is_global_zero=False)
    Overview("runs/a", None, 8).on_train_batch_start(second, game(), None, 0)
    assert capsys.readouterr().out == ""


def test_nothing_is_printed_of_a_run_that_is_refused(capsys: Screen) -> None:
    class Refusing(Scripted):
        def prepare(self, *_: object) -> None:
            raise ValueError("no weights")

    class Late(StepCallback):
        def on_train_start(self, *_: object) -> None:
            raise ValueError("no seed")

        def after_step(self, *_: Any) -> None:
            raise AssertionError

    measuring = metrics(1.0)
    measuring.evaluation = Refusing(1.0)
    for refusing in (measuring, Late()):
        with pytest.raises(ValueError, match="no "):
            run(game(), 1, Overview("runs/a", None, 8), refusing)
        assert capsys.readouterr().out == ""
