"""Checkpoints that someone has changed: refused by name, before anything is written."""

import io
import math
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

import gan
from gan.algorithms.gan import GAN
from gan.algorithms.precision import PlayerwiseScaling
from gan.callbacks.doctor import Doctor
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.runs import checkpoints
from gan.settings.errors import explain
from gan.settings.trust import build
from tests.conftest import composing
from tests.play import trainer

MLP = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]", "steps=2"]
WEIGHT = ("state_dict", "generator.layers.0.weight")
AVERAGE = ("state_dict", "averaged.layers.0.bias")
LOOP = ("loops", "fit_loop", "epoch_loop.batch_progress")
GROUP = ("optimizer_states", 1, "param_groups", 0)
STATE = ("optimizer_states", 0, "state", 0)
DOCTOR = ("callbacks", "Doctor")
Change = Callable[[Any], Any]
Content = dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DictConfig]:
    """Return the folder of a run of two steps, and its config."""
    folder = tmp_path_factory.mktemp("finished")
    with composing(folder) as compose:
        config = compose(*MLP)
        train(config)
    return folder / "run", config


@pytest.fixture
def run(finished: tuple[Path, DictConfig], tmp_path: Path) -> Path:
    """Return a copy of the run folder."""
    return shutil.copytree(finished[0], tmp_path / "run")


@pytest.fixture
def config(finished: tuple[Path, DictConfig], run: Path) -> DictConfig:
    """Return the config by which the copy is resumed."""
    config = finished[1].copy()
    config.merge_with({"steps": 4, "run_dir": str(run), "resume": str(run)})
    return config


@pytest.fixture(scope="module")
def game(finished: tuple[Path, DictConfig]) -> GAN:
    built: GAN = build(finished[1].model)
    return built


@pytest.fixture(scope="module")
def doctored(finished: tuple[Path, DictConfig]) -> pl.Trainer:
    """Return a trainer with a callback that has a state."""
    return trainer([Doctor(str(finished[0]))])


def read(run: Path) -> Content:
    content: Content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return content


def write(run: Path, content: Any) -> Path:
    path = run / "checkpoints" / "last.ckpt"
    torch.save(content, path)
    return path


def changed(run: Path, place: tuple[Any, ...], change: Change) -> Path:
    """Change one entry of the last checkpoint."""
    content = read(run)
    node: Any = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = change(node.get(place[-1]) if isinstance(node, dict) else node[place[-1]])
    return write(run, content)


def files(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file()}


def refusal(command: Callable[[], object], run: Path) -> str:
    """Return the line by which a command is refused, which changes no file."""
    before = files(run)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        command()
    assert files(run) == before
    line = explain(caught.value)
    assert line is not None, repr(caught.value)
    assert len(line) < 400
    return line


def constant(value: Any) -> Change:
    return lambda _: value


def filled(value: float) -> Change:
    return lambda old: old.clone().index_fill_(0, torch.tensor([0]), value)


def deep(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def shared(value: Any, levels: int) -> Any:
    """Return 10 ** levels values from few bytes."""
    for _ in range(levels):
        value = [value] * 10
    return value


def quantised(weight: Tensor) -> Tensor:
    return torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)


WEIGHTS: dict[str, tuple[tuple[str, str], Change, str]] = {
    "sparse": (WEIGHT, lambda w: w.to_sparse(), "is no plain dense tensor"),
    "compressed rows": (WEIGHT, lambda w: w.to_sparse_csr(), "is no plain dense tensor"),
    "quantised": (WEIGHT, quantised, "is no plain dense tensor"),
    "meta": (WEIGHT, lambda w: w.to("meta"), "is no plain dense tensor"),
    "nested": (WEIGHT, lambda w: torch.nested.nested_tensor([w, w]), "is no plain dense tensor"),
    "gradient": (WEIGHT, lambda w: w.requires_grad_(), "is no plain dense tensor"),
    "parameter": (WEIGHT, lambda w: nn.Parameter(w), "is a Parameter, not a tensor"),
    "list": (WEIGHT, lambda w: w.tolist(), "is a list, not a tensor"),
    "number": (WEIGHT, constant(3), "is 3, not a tensor"),
    "none": (WEIGHT, constant(None), "is None, not a tensor"),
    "half": (WEIGHT, lambda w: w.half(), "of torch.float16 instead of torch.float32"),
    "double": (WEIGHT, lambda w: w.double(), "of torch.float64 instead of torch.float32"),
    "whole": (WEIGHT, lambda w: w.long(), "of torch.int64 instead of torch.float32"),
    "complex": (WEIGHT, lambda w: w.to(torch.complex64), "of torch.complex64"),
    "shape": (WEIGHT, lambda w: w[:-1].clone(), "has the shape (15, 100) instead of (16, 100)"),
    "transposed": (WEIGHT, lambda w: w.T.clone(), "has the shape (100, 16)"),
    "huge": (WEIGHT, lambda w: w[:1, :1].expand(10**9, 10**9), "has the shape"),
    "expanded": (WEIGHT, lambda w: w[:1].expand(16, 100), "has overlapping elements"),
    "NaN": (WEIGHT, filled(math.nan), "holds numbers that are not finite"),
    "infinity": (WEIGHT, filled(math.inf), "holds numbers that are not finite"),
    "average": (AVERAGE, filled(-math.inf), "holds numbers that are not finite"),
    "extra": (("state_dict", "extra"), constant(torch.ones(2)), "has 'extra', which is not"),
    "counter": (("state_dict", "nonfinite"), lambda w: w.float(), "of torch.float32 instead"),
}
CLOCK: dict[str, tuple[tuple[str, str], Change, str]] = {
    f"{key} {value!r}": (("clock", key), constant(value), f"clock.{key} is {value!r}")
    for key in ("step", "images")
    for value in (-1, 2.5, True, "2", None, math.nan)
} | {
    "step huge": (("clock", "step"), constant(10**30), "clock.step is 1000000000000000"),
    "images list": (("clock", "images"), constant([1]), "clock.images is a list"),
}


@pytest.mark.parametrize("kind", [*WEIGHTS, *CLOCK])
def test_weights_and_clock(kind: str, run: Path, game: GAN) -> None:
    place, change, words = (WEIGHTS | CLOCK)[kind]
    path = changed(run, place, change)
    line = refusal(lambda: checkpoints.check_weights(path, checkpoints.read(path), game), run)
    assert line.startswith(f"{path}: {place[0]}")
    assert words in line


@pytest.mark.parametrize("kind", ["NaN", "meta", "half", "huge", "extra", "step -1"])
@pytest.mark.parametrize("command", ["load", "sample", "evaluate", "resume"])
def test_every_command_refuses(kind: str, command: str, run: Path, config: DictConfig) -> None:
    place, change, words = (WEIGHTS | CLOCK)[kind]
    path = changed(run, place, change)
    commands: dict[str, Callable[[], object]] = {
        "load": lambda: gan.load(run),
        "resume": lambda: train(config),
    }
    line = refusal(commands.get(command, lambda: dispatch([command, f"run={run}"])), run)
    assert line.startswith(f"{path}: {place[0]}")
    assert words in line


@pytest.mark.parametrize("key", ["averaged.layers.0.bias", "generator.layers.1.weight"])
def test_a_missing_weight(key: str, run: Path) -> None:
    content = read(run)
    del content["state_dict"][key]
    path = write(run, content)
    assert refusal(lambda: gan.load(run), run).startswith(f"{path}: state_dict has no {key}")


TRAINING: dict[str, tuple[tuple[Any, ...], Change, str]] = {
    "loops a word": (("loops",), constant("words"), "loops is 'words', not a dictionary"),
    "loops empty": (("loops",), constant({}), "loops has no fit_loop"),
    "loop a list": (("loops", "fit_loop"), constant([]), "loops.fit_loop is a list"),
    "other batches": ((*LOOP, "total", "ready"), constant(7), "total.ready is 7 instead of 2"),
    "method": ((*LOOP, "current", "reset"), constant(1), "current has 'reset'"),
    "last batch": ((*LOOP, "is_last_batch"), constant(3), "is_last_batch is 3"),
    "epochs": (
        ("loops", "fit_loop", "epoch_progress", "current", "processed"),
        constant(1),
        "processed is 1 instead of 0",
    ),
    "step alone": (("clock", "step"), constant(1), "_batches_that_stepped is 1 instead of 0"),
    "random a word": (("random",), constant("x"), "random is 'x', not of type list"),
    "random flat": (("random",), lambda r: r[0], "random[0] is a Tensor"),
    "random short": (("random",), lambda r: [[r[0][0][:9].clone()]], "has the shape (9,)"),
    "random floats": (("random",), lambda r: [[r[0][0].float()]], "of torch.float32"),
    "random noise": (
        ("random",),
        lambda r: [[torch.full_like(r[0][0], 255)]],
        "no state of a random generator",
    ),
    "random long": (("random",), lambda r: [r[0] * 3], "not a list of 2"),
    "no optimizers": (("optimizer_states",), constant([]), "is a list, not a list of 2"),
    "one optimizer": (("optimizer_states",), lambda s: s[:1], "is a list, not a list of 2"),
    "optimizer a word": (("optimizer_states", 0), constant("x"), "optimizer_states[0] is 'x'"),
    "no groups": (("optimizer_states", 0), lambda s: {"state": {}}, "has no param_groups"),
    "groups": (("optimizer_states", 0, "param_groups"), lambda g: g * 2, "not a list of 1"),
    "group": (GROUP, constant(4), "param_groups[0] is 4, not of type dict"),
    "rate a word": ((*GROUP, "lr"), constant("fast"), "lr is 'fast'"),
    "rate negative": ((*GROUP, "initial_lr"), constant(-1.0), "initial_lr is -1.0"),
    "rate NaN": ((*GROUP, "lr"), constant(math.nan), "lr is nan"),
    "decay": ((*GROUP, "betas"), constant((1.0, 1.0)), "betas is a tuple, not two numbers"),
    "decay missing": ((*GROUP, "betas"), constant((0.5,)), "betas is a tuple, not two numbers"),
    "epsilon": ((*GROUP, "eps"), constant(1e9), "eps is 1000000000.0 instead of 1e-08"),
    "flag": ((*GROUP, "fused"), constant("yes"), "fused is 'yes'"),
    "switch": ((*GROUP, "maximize"), constant(True), "maximize is True instead of False"),
    "parameters": ((*GROUP, "params"), constant([0, 1]), "params is a list, not a list of 4"),
    "unknown": ((*GROUP, "hook"), constant(1), "has 'hook', which is not expected"),
    "moment shape": ((*STATE, "exp_avg"), lambda m: m[:3].clone(), "has the shape (3, 100)"),
    "moment type": ((*STATE, "exp_avg_sq"), lambda m: m.double(), "of torch.float64"),
    "moment sparse": ((*STATE, "exp_avg"), lambda m: m.to_sparse(), "no plain dense tensor"),
    "moment NaN": ((*STATE, "exp_avg"), filled(math.nan), "not finite"),
    "moment negative": ((*STATE, "exp_avg_sq"), filled(-1.0), "out of their range"),
    "schedulers of others": (("lr_schedulers",), constant([{"a": 1}]), "not a list of 0"),
    "moment overlaps": ((*STATE, "exp_avg"), lambda m: m[:1].expand(16, 100), "overlapping"),
    "moment unknown": ((*STATE, "third"), constant(1), "state.0 has 'third'"),
    "count negative": ((*STATE, "step"), constant(torch.tensor(-1.0)), "step holds numbers"),
    "count a number": ((*STATE, "step"), constant(2), "step is 2, not a tensor"),
    "state of none": ((*STATE[:-1], 99), constant({}), "state has 99, which is not expected"),
    "schedulers": (("lr_schedulers",), constant(5), "lr_schedulers is 5"),
    "callbacks": (("callbacks",), constant([1]), "callbacks is a list"),
    "callback": (DOCTOR, constant(2), "callbacks.Doctor is 2, not a dictionary"),
    "callback empty": (DOCTOR, constant({}), "callbacks.Doctor has no "),
    "readings": ((*DOCTOR, "readings"), constant([1]), "readings[0] is 1, not a dict"),
    "reading a word": ((*DOCTOR, "readings"), constant([{"a": "b"}]), "readings[0]['a'] is 'b'"),
    "reading huge": ((*DOCTOR, "readings"), constant([{"a": 10**400}]), "readings[0]['a'] is 1000"),
    "diversity": ((*DOCTOR, "diversity"), constant(["x"]), "diversity[0] is 'x'"),
    "next": ((*DOCTOR, "next"), constant(-5), "next is -5"),
    "warned": ((*DOCTOR, "warned"), constant([["x"]]), "warned[0] is a list"),
}


@pytest.mark.parametrize("kind", TRAINING)
def test_what_only_training_reads(kind: str, run: Path, game: GAN, doctored: pl.Trainer) -> None:
    place, change, words = TRAINING[kind]
    path = changed(run, place, change)
    content = checkpoints.read(path)
    line = refusal(lambda: checkpoints.set_checkpoint(doctored, path, content, game), run)
    assert line.startswith(f"{path}: ")
    assert words in line


@pytest.mark.parametrize("kind", ["other batches", "random noise", "decay", "moment NaN", "next"])
def test_resuming_refuses(kind: str, run: Path, config: DictConfig) -> None:
    place, change, words = TRAINING[kind]
    path = changed(run, place, change)
    assert words in refusal(lambda: train(config), run)
    assert path.is_file()
    assert gan.load(run).sample(2).isfinite().all()  # samples need none of it


@pytest.mark.parametrize("part", ["clock", "loops", "optimizer_states", "random", "state_dict"])
def test_a_missing_part(part: str, run: Path) -> None:
    content = read(run)
    del content[part]
    path = write(run, content)
    line = refusal(lambda: checkpoints.read(path), run)
    assert f"{path} is a checkpoint of another program" in line


IDENTITIES: dict[str, tuple[Any, str]] = {
    "none": (None, "identity is None, not a dictionary"),
    "word": ("x", "identity is 'x', not a dictionary"),
    "tensor": ({"seed": torch.ones(2)}, "identity holds a Tensor"),
    "number as key": ({"model": {3: 4}}, "was another run"),
}


@pytest.mark.parametrize("kind", IDENTITIES)
def test_another_identity(kind: str, run: Path, config: DictConfig) -> None:
    identity, words = IDENTITIES[kind]
    changed(run, ("identity",), constant(identity))
    assert words in refusal(lambda: train(config), run)


CONTENTS: dict[str, Any] = {
    "shared lists": {"identity": shared(0, 12)},
    "set": {"identity": {1, 2}},
    "bytes": {"identity": bytearray(3)},
    "type": {"identity": torch.float32},
    "size": {"identity": torch.Size([2])},
    "deep lists": {"identity": deep(0, 100)},
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_values_of_other_kinds(kind: str, run: Path) -> None:
    path = write(run, read(run) | CONTENTS[kind])
    line = refusal(lambda: checkpoints.read(path), run)
    assert f"{path} is not a whole checkpoint (it holds" in line


def repacked(path: Path, compression: int, change: Callable[[str, bytes], bytes]) -> None:
    """Write the archive again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    path.write_bytes(buffer.getvalue())


def test_an_archive_that_expands(run: Path) -> None:
    path = run / "checkpoints" / "last.ckpt"
    repacked(path, zipfile.ZIP_DEFLATED, lambda _, old: old + b"\0" * 10**6)
    line = refusal(lambda: checkpoints.read(path), run)
    assert f"{path} is not a whole checkpoint (an entry is compressed)" in line


def test_lists_nested_without_end(run: Path) -> None:
    path, levels = run / "checkpoints" / "last.ckpt", 10**5
    nested = b"\x80\x02" + b"]" * levels + b"a" * (levels - 1) + b"."
    change = {"data.pkl": nested}
    repacked(path, zipfile.ZIP_STORED, lambda name, old: change.get(name.split("/")[-1], old))
    assert "nests them too deeply" in refusal(lambda: checkpoints.read(path), run)


def test_a_storage_that_is_too_short(run: Path) -> None:
    path = run / "checkpoints" / "last.ckpt"
    repacked(path, zipfile.ZIP_STORED, lambda name, old: old[:-4] if "/data/" in name else old)
    assert f"{path} is not a whole checkpoint" in refusal(lambda: gan.load(run), run)


def test_attributes_of_the_weights_are_not_read(run: Path) -> None:
    content = read(run)
    content["state_dict"]._metadata = {"": 5, "generator": "words"}
    write(run, content)
    assert gan.load(run).sample(2).isfinite().all()


def test_another_version_of_lightning_is_not_converted(run: Path, config: DictConfig) -> None:
    strange = {"pytorch-lightning_version": "none", "native_amp_scaling_state": 3, "epoch": "x"}
    path = write(run, read(run) | strange)
    assert "native_amp_scaling_state" not in checkpoints.read(path)
    train(config)
    assert read(run)["clock"]["step"] == 4


SCALES: dict[str, Any] = {
    "scale": -1.0,
    "_growth_tracker": "x",
    "growth_factor": 1e9,
    "growth_interval": 0,
    "more": 1,
}


@pytest.mark.parametrize("key", SCALES)
def test_loss_scales(key: str, run: Path, game: GAN, doctored: pl.Trainer) -> None:
    doctored.strategy.precision_plugin = PlayerwiseScaling("cpu")
    content = read(run)
    content["PlayerwiseScaling"] = doctored.precision_plugin.state_dict()
    content["PlayerwiseScaling"]["1"] |= {"scale": 1024.0, "_growth_tracker": 7}
    path = write(run, content)
    checkpoints.set_checkpoint(doctored, path, checkpoints.read(path), game)
    content["PlayerwiseScaling"]["1"][key] = SCALES[key]
    write(run, content)
    with pytest.raises(InputError, match=rf"PlayerwiseScaling\.1.*{key}"):
        checkpoints.set_checkpoint(doctored, path, checkpoints.read(path), game)


def test_an_earlier_version_is_read(run: Path, config: DictConfig) -> None:
    content = read(run)
    content["state_dict"]["mended"] = content["state_dict"].pop("nonfinite")
    write(run, content)
    assert gan.load(run).sample(2).isfinite().all()
    train(config)
    assert read(run)["clock"]["step"] == 4


def test_a_poisoned_checkpoint_is_named_where_a_damaged_one_is_passed_over(
    run: Path, config: DictConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    last, previous = (run / "checkpoints" / f"{name}.ckpt" for name in ("last", "previous"))
    shutil.copy(last, previous)
    changed(run, *CLOCK["step -1"][:2])
    assert f"{last}: clock.step is -1" in refusal(lambda: train(config), run)
    last.write_bytes(last.read_bytes()[:-100])
    train(config)
    assert f"{last} is not a whole checkpoint" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["optimizer=sgd", "optimizer=rmsprop", "optimizer=adam_lazy"])
def test_every_optimizer_goes_on(name: str, tmp_path: Path) -> None:
    with composing(tmp_path) as compose:
        node = compose(*MLP, name)
    train(node)
    node.merge_with({"steps": 3, "resume": node.run_dir})
    train(node)
    assert read(tmp_path / "run")["clock"]["step"] == 3
