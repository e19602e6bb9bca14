import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from gan.callbacks.base import StepCallback
from gan.callbacks.overview import _ACTS, Overview, networks, parameters
from gan.layers.folding import FoldedConv2d
from gan.layers.winograd import Conv3x3
from tests.callbacks.stage import Scripted, game, metrics, place, run

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
    assert shown["training"] == "1 step, 1 image a step"
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


def data(**given: Any) -> Any:
    """Return what stands for a data set of few images."""
    fixed: dict[str, Any] = {
        "name": "cats",
        "split_sizes": {"train": 1200, "test": 5},
        "channels": 3,
        "resolution": 64,
        "num_classes": 0,
        "class_names": (),
        "flip": False,
        "domains": {},
        "found": (),
    }
    return SimpleNamespace(**fixed | given)


SHAPE = "cats: 1,200 in train, 5 in test; 3 x 64 x 64"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, f"{SHAPE}; no labels"),
        ({"flip": True}, f"{SHAPE}; no labels, mirrored at random"),
        ({"num_classes": 1}, f"{SHAPE}; 1 class"),
        ({"num_classes": 2, "class_names": ("a", "b")}, f"{SHAPE}; 2 classes (a, b)"),
        ({"num_classes": 0, "class_names": ("a", "b")}, f"{SHAPE}; no labels"),
        (
            {"num_classes": 11, "class_names": tuple("abcdefghijk")},
            f"{SHAPE}; 11 classes (a, b, c, d, e, f, g, h, i, j, ...)",
        ),
        ({"split_sizes": {}}, "cats: 3 x 64 x 64; no labels"),
    ],
)
def test_data_in_one_line(given: dict[str, Any], shown: str) -> None:
    found = dict(Overview("a", None, 8)._rows(place(datamodule=data(**given)), game()))
    assert found["data"] == shown


def test_lines_that_some_runs_have() -> None:
    other = data(name="dogs")
    both = data(found=["found in the cache", "no masks"])
    both.domains = {"a": both, "b": other}
    overview = Overview("a", None, 8, origin=["weights of x", "but for two"])
    rows = [*overview._rows(place(datamodule=both, world_size=2), game())]
    shown = [label for label, _ in rows]
    expected = (
        "model parameters labels data domain+B - - init - training measuring device run+folder"
    )
    assert shown == [label.strip("-").replace("+", " ") for label in expected.split()]
    values = [value for _, value in rows]
    assert values[4].startswith("dogs: ")
    assert values[5:9] == ["found in the cache", "no masks", "weights of x", "but for two"]
    assert dict(rows)["device"].endswith("; precision 32-true; 2 processes")


@pytest.mark.parametrize(
    ("classes", "known", "few", "shown"),
    [
        (0, 0, None, "unconditional"),
        (7, 0, None, "unconditional, the data's 7 classes unused"),
        (1, 0, None, "unconditional, the data's 1 class unused"),
        (0, 1, None, "conditional on 1 label"),
        (7, 10, None, "conditional on 10 labels"),
        (7, 0, 0, "of 0 images of each of 7 classes; the generator is unconditional"),
    ],
)
def test_what_is_learned_of_labels(classes: int, known: int, few: int | None, shown: str) -> None:
    given = {} if few is None else {"labels_per_class": few}
    source = data(num_classes=classes, **given)
    found = Overview("a", None, 8)._rows(place(datamodule=source), game(num_classes=known))
    assert dict(found)["labels"] == shown


def test_a_resumed_run_says_where_it_goes_on() -> None:
    players = game(n_critic=3)
    players.clock.step = 1234
    trainer = place(num_training_batches=5000)
    length = "5,000 steps, from step 1,234 on, 64 images a step in each of 3 updates of D"
    assert Overview("a", None, 64)._length(trainer, players) == length


def test_measuring_at_the_end_alone() -> None:
    measuring = metrics(every=0)
    measuring.evaluation.model_metrics = {"own": None}  # type: ignore[dict-item]
    rows = Overview("a", None, 8)._rows(place(measuring, datamodule=data()), game())
    expected = "score, own of 25 fakes with script, against split train, at the end"
    assert dict(rows)["measuring"] == expected


@pytest.mark.parametrize(
    ("letters", "names"),
    [("G", "Linear"), ("GD", "Linear and Linear"), ("GDE", "Linear, Linear and Linear")],
)
def test_networks_by_their_letters(letters: str, names: str) -> None:
    given = dict.fromkeys(("generator", "discriminator"), None) | {
        name: nn.Linear(2, k)
        for k, name in enumerate(("generator", "discriminator", "encoder"), start=1)
        if name[0].upper() in letters
    }
    players: Any = SimpleNamespace(**given, device=torch.device("cpu"), n_critic=1)
    players.clock = SimpleNamespace(step=0)
    assert "".join(networks(players)) == letters
    counts = parameters(players)
    assert counts == {letter: 3 * k for k, letter in enumerate(letters, start=1)}
    found = dict(Overview("a", None, 8)._rows(place(datamodule=data()), players))
    assert found["model"] == f"game SimpleNamespace of {names}"
    sizes = " + ".join(map(str, counts.values()))
    assert found["parameters"] == f"{sizes} ({' + '.join(letters)})"


def test_on_a_terminal_labels_alone_stand_out(
    monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    overview, trainer = Overview("runs/1", "m" * 100, 8), place(datamodule=data())
    for step in range(2):
        overview.on_train_batch_start(trainer, game(), None, step)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8  # printed once, and not broken
    for line in lines:
        assert re.fullmatch("\x1b\\[1m.{12}\x1b\\[0m [^\x1b]*", line)


def test_convolutions_that_fold() -> None:
    trainer, plain = place(), nn.Conv2d(4, 4, 3)
    kind: Any = FoldedConv2d
    folded = kind.__new__(kind)
    nn.Module.__init__(folded)
    for modules, acts in (([plain], False), ([plain, folded], True)):
        players: Any = nn.ModuleList(modules)
        assert _ACTS["fold"](players, trainer) == acts
    line: Any = nn.ModuleList([nn.Linear(2, 2)])
    assert not _ACTS["channels_last"](line, trainer)
