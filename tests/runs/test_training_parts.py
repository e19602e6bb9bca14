"""Parts of training: callbacks, forms of networks, the checkpoint to go on from, results."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import Callback, Timer

from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.data_identity import DataIdentity
from gan.callbacks.doctor import Doctor
from gan.callbacks.early_stopping import EarlyStopping
from gan.callbacks.estimate import Estimate
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.overview import Overview
from gan.callbacks.signals import Preemption, Signals
from gan.callbacks.stopwatch import Stopwatch
from gan.callbacks.telemetry import Telemetry
from gan.conditioning.auxiliary import Auxiliary
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.layers.folding import FoldedConv2d
from gan.layers.synchronised import SynchronisedBatchNorm
from gan.layers.winograd import SameConv2d
from gan.networks.base import Discriminator
from gan.runs import checkpoints, measuring, training
from gan.runs.resume import identity
from gan.runs.training import _check_data, _check_labels, _first, _rank, _step, _stopped, _times
from gan.settings import stored
from gan.settings.description import Description
from gan.settings.trust import build
from tests.algorithms import test_acgan
from tests.calls import noting, noting_all
from tests.conftest import Compose

SMALL = ["model=dcgan", "data=digits", "model.generator.width=4", "model.discriminator.width=4"]


def kinds(callbacks: list[Callback]) -> list[type[Callback]]:
    return [type(callback) for callback in callbacks]


def test_callbacks_act_in_an_order(config: Compose) -> None:
    node = config(*SMALL, "callbacks=[telemetry,checkpoints]", "backbone=domain", "steps=5")
    node.accelerator.fold = True
    found = training._callbacks(node, build(node.model), ["a=1 instead of 2"], ["from there"])
    ordered = [Signals, Telemetry, Doctor, MetricsCallback, EarlyStopping, Stopwatch, Overview]
    assert kinds(found)[: len(ordered)] == ordered
    assert kinds(found)[len(ordered) :] == [Checkpoints, DataIdentity, Estimate, Preemption]
    kept: Any = found[len(ordered)]
    assert kept.identity == identity(node)
    overview, last = _first(found, Overview), found[-1]
    assert overview is not None
    assert {"changes", "origin"} <= vars(overview).keys() or "a=1 instead of 2" in str(
        vars(overview)
    )
    assert "fold" in str(vars(overview))
    assert "winograd" not in str(vars(overview)) or node.accelerator.winograd
    assert _first(found, Signals) in vars(last).values()


def test_without_doctor_and_metrics(config: Compose) -> None:
    node = config(*SMALL, "doctor=null", "callbacks=[]", "metrics=[]")
    found = kinds(training._callbacks(node, build(node.model)))
    assert not {Doctor, MetricsCallback, Checkpoints} & {*found}


def test_the_rank_of_callbacks() -> None:
    assert _rank(Timer(duration={"seconds": 1})) == 0
    assert _rank(Signals()) == 1
    assert _rank(EarlyStopping()) == len(training._ORDER) - 1
    assert _rank(Callback()) == len(training._ORDER)


def test_the_first_callback_of_a_kind() -> None:
    one, other = EarlyStopping(), EarlyStopping()
    assert _first([Callback(), one, other], EarlyStopping) is one
    assert _first([Callback()], EarlyStopping) is None


@pytest.mark.parametrize(
    ("chosen", "first", "name"),
    [
        ({"model": "dcgan"}, True, "dcgan, DCGAN"),
        ({"model": "mine"}, True, "mine"),
        ({}, True, None),
        ({"model": "dcgan"}, False, None),
    ],
)
def test_the_model_of_a_run(
    chosen: dict[str, str],
    first: bool,
    name: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored.save(tmp_path, OmegaConf.create({}), [], choices=chosen)
    monkeypatch.setattr(training, "is_first_process", lambda: first)
    found = training._model(str(tmp_path))
    assert found == name or (name is not None and str(found).startswith(name))


class Board:
    """A dashboard that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def describe(self, description: Any) -> None:
        self.told.append(description)

    def log_hyperparams(self, settings: Any) -> None:
        self.told.append(settings)


class Plain:
    """A logger that takes settings alone."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def log_hyperparams(self, settings: Any) -> None:
        self.told.append(settings)


@pytest.mark.parametrize("first", [True, False])
def test_dashboards_are_told_what_the_run_is(first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    board, plain = Board(), Plain()
    made = {"b": board, "p": plain}
    description = SimpleNamespace(config={"seed": 1})
    asked: list[Any] = []
    monkeypatch.setattr(training, "build", lambda node, allowed: made[node.name])
    monkeypatch.setattr(training, "is_first_process", lambda: first)
    monkeypatch.setattr(Description, "of", noting(asked, description))
    loggers = {"one": {"name": "b"}, "two": {"name": "p"}}
    node = OmegaConf.create({"allow_targets": [], "run_dir": "x", "logger": loggers})
    table: Any = object()
    assert training._loggers(node, table) == [table, board, plain]
    assert asked == ([(Path("x"), node)] if first else [])
    assert board.told == ([description, {"seed": 1}] if first else [])
    assert plain.told == ([{"seed": 1}] if first else [])


OFF = {"channels_last": False, "sync_batchnorm": False, "compile": False}


def test_forms_of_networks(config: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    game = build(config("model=sngan", "size=tiny", "data=digits").model)
    folded = [m for m in game.modules() if isinstance(m, FoldedConv2d)]
    same = [m for m in game.modules() if isinstance(m, SameConv2d)]
    for on in (True, False):
        training.accelerate(game, OmegaConf.create({**OFF, "fold": on, "winograd": not on}))
        assert folded
        assert {m.fold for m in folded} == {on}
        assert {m.winograd for m in same} <= {not on}
    training.accelerate(game, OmegaConf.create({**OFF, "fold": True}))
    training.accelerate(game, OmegaConf.create(OFF))
    assert {m.fold for m in folded} == {False}
    done: list[Any] = []
    monkeypatch.setattr(SynchronisedBatchNorm, "convert", done.append)
    monkeypatch.setattr(training, "_checkpoint", lambda game: done.append("checkpoint"))
    monkeypatch.setattr(training, "_compile", lambda game: done.append("compile"))
    training.accelerate(game, OmegaConf.create(OFF))
    assert done == []
    training.accelerate(game, OmegaConf.create({**OFF, "sync_batchnorm": True, "compile": True}))
    training.accelerate(game, OmegaConf.create({**OFF, "checkpoint": True}))
    assert done == [game, "compile", "checkpoint"]
    with pytest.raises(InputError, match=r"set accelerator\.compile=false"):
        training.accelerate(game, OmegaConf.create({**OFF, "checkpoint": True, "compile": True}))
    weight = next(w for w in game.parameters() if w.ndim == 4 and min(w.shape) > 1)
    assert weight.is_contiguous()
    training.accelerate(game, OmegaConf.create({**OFF, "channels_last": True}))
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_networks_without_blocks_are_not_computed_anew() -> None:
    with pytest.raises(InputError, match="no network of this model consists of blocks"):
        training._checkpoint(test_acgan.game(Auxiliary(3)))


def test_both_networks_are_computed_anew_where_one_has_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[int] = []
    game: Any = SimpleNamespace(players=[SimpleNamespace(network=n) for n in (1, 2)])
    monkeypatch.setattr(training, "blocks", lambda network: [network] * (network == 2))
    monkeypatch.setattr(training, "recompute_activations", done.append)
    training._checkpoint(game)
    assert done == [1, 2]


def test_passes_that_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    game, compiled = test_acgan.game(Auxiliary(3)), list[Any]()

    def compile_(self: Any, **given: Any) -> None:
        compiled.append((self, given))

    for kind in (torch.nn.Module, Discriminator):
        monkeypatch.setattr(kind, "compile", compile_)
    training._compile(game)
    assert [network for network, _ in compiled] == [
        *(game.generator, game.averaged, game.discriminator)
    ]
    assert all(given == {"options": {"fallback_random": True}} for _, given in compiled)
    monkeypatch.setattr(training, "has_spectral_norm", lambda network: network is game.generator)
    training._compile(game)
    assert [network for network, _ in compiled[3:]] == [game.discriminator]
    monkeypatch.setattr(training, "has_spectral_norm", lambda network: True)
    with pytest.raises(InputError, match="all networks of this model have spectral norm"):
        training._compile(game)


@pytest.mark.parametrize(("known", "count", "taken"), [(3, 3, True), (3, 4, False), (0, 4, True)])
def test_labels_of_game_and_data(known: int, count: int, taken: bool) -> None:
    game = test_acgan.game(Auxiliary(known) if known else Unconditional())
    data = SimpleNamespace(num_classes=count)
    if taken:
        _check_labels(game, data)
    else:
        with pytest.raises(InputError, match="num_classes=3 but the data have 4"):
            _check_labels(game, data)
    plain: Any = SimpleNamespace(generator=object())
    _check_labels(plain, data)


def content(step: int, **given: Any) -> dict[str, Any]:
    """Return what is read of a checkpoint."""
    return {"clock": {"step": step}, **given}


def test_the_step_and_the_end_of_a_checkpoint() -> None:
    assert _step(content(7)) == 7
    name = EarlyStopping.__qualname__
    for states, stopped in (
        ({name: {"reason": "no better"}}, True),
        ({name: {"reason": None}}, False),
        ({name: {}}, False),
        ({name: 3}, False),
        ({"Other": {"reason": "x"}}, False),
        ({}, False),
        (3, False),
        (None, False),
    ):
        assert _stopped(content(1, callbacks=states)) is stopped
    assert not _stopped(content(1))


@pytest.mark.parametrize(
    ("known", "changed", "prepared", "refused"),
    [
        (None, "refuse", False, False),
        ("a", "accept", False, False),
        ("a", "refuse", True, False),
        ("b", "refuse", True, True),
    ],
)
def test_images_that_have_changed(
    known: str | None, changed: str, prepared: bool, refused: bool
) -> None:
    done: list[str] = []
    data: Any = SimpleNamespace(changed=changed, may_download=True, identity=lambda: "a")
    data.prepare_data = lambda: done.append("prepared")
    given = {} if known is None else {DataIdentity.KEY: known}
    if refused:
        with pytest.raises(InputError, match="the training images of run have changed since"):
            _check_data("run", given, data)
    else:
        _check_data("run", given, data)
    assert data.may_download is False
    assert bool(done) is prepared


ENDED = {EarlyStopping.__qualname__: {"reason": "no better"}}


@pytest.mark.parametrize(
    ("resume", "written", "expected"),
    [
        (None, [4], None),
        ("auto", [], None),
        ("auto", [4, 3], 4),
        ("auto", [10, 9], 9),
        ("auto", [10], None),
        ("auto", [(4, ENDED), (3, {})], 3),
        ("auto", [(4, ENDED)], None),
        ("run", [9, 3], 9),
        ("run", [(4, ENDED)], 4),
        ("run", [10, 9], "has done 10 steps: give a larger steps= than that"),
        ("run", [11], "run: run has done 11 steps".removeprefix("run: ")),
    ],
)
def test_the_checkpoint_to_go_on_from(
    resume: str | None, written: list[Any], expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    pairs = [c if isinstance(c, tuple) else (c, {}) for c in written]
    usable = [(Path(f"{step}.ckpt"), content(step, callbacks=c)) for step, c in pairs]
    monkeypatch.setattr(training, "has_checkpoint", lambda folder: bool(usable))
    monkeypatch.setattr(training, "Run", lambda folder: folder)
    monkeypatch.setattr(checkpoints, "latest", lambda run: usable)
    monkeypatch.setattr(training, "refuse_changes", lambda *a: called.append(a))
    monkeypatch.setattr(training, "identity", lambda config: "identity")
    monkeypatch.setattr(checkpoints, "check_weights", lambda *a: called.append(a))
    monkeypatch.setattr(training, "_check_data", lambda *a: called.append(a))
    config = OmegaConf.create({"resume": resume, "run_dir": "run", "steps": 10})
    rewound: list[int] = []
    table: Any = SimpleNamespace(rewind=rewound.append)
    data: Any = SimpleNamespace(start_step=0)
    game: Any = object()
    given = (config, table, data, game, ["schedule"])
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            training._resume(*given)
        assert rewound == []
        return
    found = training._resume(*given)
    if expected is None:
        assert found is None
        assert (called, rewound, data.start_step) == ([], [], 0)
        return
    assert found is not None
    path, read = found
    assert (path, _step(read)) == (Path(f"{expected}.ckpt"), expected)
    assert called[0] == ("run", None, "identity", ["schedule"])
    assert called[1:] == [(path, read, game), ("run", read, data)]
    assert (rewound, data.start_step) == ([expected], expected)


def test_times_of_a_run() -> None:
    assert str(_times([])) == str(
        {"seconds_measuring": 0.0, "images_per_second": float("nan"), "seconds": 0.0}
    )
    telemetry, stopwatch = Telemetry(every=1), Stopwatch(None)
    evaluation: Any = SimpleNamespace()
    metrics = MetricsCallback(evaluation)
    telemetry.rate, metrics.seconds = 1.0, 3.0
    stopwatch._started, stopwatch._ended = 1.0, 3.0
    assert _times([Callback(), metrics, stopwatch, telemetry]) == {
        **{"seconds_measuring": 3.0, "images_per_second": 1.0, "seconds": 2.0}
    }


def test_without_metrics_nothing_is_measured() -> None:
    game: Any = object()
    found = training._measured_at_the_end(OmegaConf.create(), game, None, EarlyStopping())
    assert found == {"baseline": {}}


def test_what_is_measured_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    game: Any = SimpleNamespace(trainer="trainer")
    metrics: Any = SimpleNamespace(baseline={"a": 1}, references=lambda trainer: {trainer: {}})
    monkeypatch.setattr(training, "metrics_on_test", lambda *given: {"test": given})
    stop, config = EarlyStopping(), OmegaConf.create()
    assert training._measured_at_the_end(config, game, metrics, stop) == {
        **{"baseline": {"a": 1}, "references": {"trainer": {}}},
        "test": (config, game, metrics, stop),
    }


@pytest.mark.parametrize(
    ("best", "patience", "validates", "untouched", "measured"),
    [
        ({"a": 1}, None, True, True, True),
        ({"a": 1}, 3, False, True, True),
        ({"a": 1}, None, False, True, False),
        ({}, 3, True, True, False),
        ({"a": 1}, 3, True, False, None),
    ],
)
def test_what_chose_is_measured_on_other_images(
    best: dict[str, float],
    patience: int | None,
    validates: bool,
    untouched: bool,
    measured: bool | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    test = SimpleNamespace(seconds=2.0, last={"b": 1}, protocols={"b": "x"}, stamp={"c": 1})
    monkeypatch.setattr(measuring, "_measured_on_test", lambda config, game: test)
    evaluation = SimpleNamespace(validates=validates, untouched=untouched)
    metrics: Any = SimpleNamespace(best=best, evaluation=evaluation, seconds=1.0)
    stop, game = EarlyStopping(patience), object()
    found = measuring.metrics_on_test(OmegaConf.create(), game, metrics, stop)  # type: ignore[arg-type]
    expected = {"test": {"b": 1}, "test_protocols": {"b": "x"}, "test_stamp": {"c": 1}}
    assert found == (expected if measured else {})
    assert metrics.seconds == (3.0 if measured else 1.0)
    told = "there is no test split of other images" in capsys.readouterr().out
    assert told is (measured is None)


def test_the_best_checkpoint_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device="cpu"))
    game: Any = SimpleNamespace(trainer=trainer, name="last")
    made: Any = SimpleNamespace(history=[], setup=lambda *a: given.append(a))
    made.record = lambda trainer, played: (trainer, played)
    monkeypatch.setattr(measuring, "make_metrics", noting_all(given, made))
    config = OmegaConf.create({"run_dir": str(tmp_path), "model": {}, "allow_targets": []})
    assert measuring._measured_on_test(config, game) is made
    history: Any = made.history
    assert history == [(trainer, game)]  # there is no best checkpoint
    ((changed, played), named), setup = given
    assert (changed.evaluation.split, played, named) == ("test", game, {"sources": "test"})
    assert "evaluation" not in config
    assert setup == (trainer, game, "fit")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    monkeypatch.setattr(measuring, "build", lambda node, allowed: "built")
    best = SimpleNamespace(to=lambda device: ("best", device))
    monkeypatch.setattr(checkpoints, "restore", noting(given, best))
    moved: Any = measuring._best(config, game)
    assert moved == ("best", "cpu")
    assert given[-1] == ("built", tmp_path / "checkpoints" / "best.ckpt")


def test_what_libraries_say_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    with warnings.catch_warnings(record=True) as seen:
        warnings.resetwarnings()
        training._silence()
        for text in (
            "The `srun` command is available on your system",
            "Found 3 module(s) in eval mode at the start of training",
            "Your `train` dataloader is not resumable",
            "another",
        ):
            warnings.warn(text, UserWarning, stacklevel=1)
    assert "another" in [str(warning.message) for warning in seen]
    assert "Found 3 module(s) in eval mode at the start of training" not in [
        str(warning.message) for warning in seen
    ]
