"""Parts of runs that need no training: what is resumed, inherited, shown and translated."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from gan.algorithms.translation import TranslationGame
from gan.conditioning.auxiliary import Auxiliary
from gan.errors import InputError
from gan.runs import data, initialisation, results, resume, translation, weights
from gan.runs.batches import check_batches
from gan.runs.initialisation import Origin, Share, read_origin
from gan.runs.portable import plain, portable
from gan.runs.resume import Resumption, differences, has_checkpoint, refuse_changes
from gan.runs.translation import Degrading, RunTranslation
from gan.runs.uses import describe, first_commands
from gan.settings.overrides import hydra_form, parse
from tests.algorithms import test_acgan
from tests.algorithms.translating import conditional, contrastive, cycle, sharpening
from tests.calls import noting, noting_all
from tests.sweeps.launching import results as made

# Resuming


@pytest.mark.parametrize(("name", "found"), [("last", True), ("previous", True), ("best", False)])
def test_a_checkpoint_to_resume_from(name: str, found: bool, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    assert not has_checkpoint(tmp_path)
    (tmp_path / "checkpoints" / f"{name}.ckpt").touch()
    assert has_checkpoint(tmp_path) is found


def test_differences_by_dotted_path() -> None:
    old = {"a": {"b": 1, "c": {}}, "d": [1], "gone": None, "e": 2}
    new = {"a": {"b": 2, "c": {}}, "d": [1, 2], "new": "x" * 100, "e": 2}
    found = differences(old, new)
    assert list(found) == ["a.b", "d", "new"]
    assert found["a.b"] == "a.b=2 instead of 1"
    assert found["d"] == "d=[1, 2] instead of [1]"
    assert found["new"] == "new=... instead of nothing"
    assert differences({"n": "y " * 30}, {"n": "y " * 60})["n"].endswith(f"of {'y ' * 29}y")


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_the_first_differences_are_named(count: int) -> None:
    old = {"model": {f"k{n}": 0 for n in range(count)}}
    new = {"model": {f"k{n}": 1 for n in range(count)}}
    base: dict[str, Any] = {"size": "paper", "task": {}, "mirror": False, "init": None}
    base["freeze"] = {"discriminator": 0}
    with pytest.raises(InputError) as caught:
        refuse_changes("run", old, base | new)
    words = str(caught.value)
    assert words.startswith("resume: run was another run: model.k0=1 instead of 0")
    assert words.count("instead of") == min(count, 3)
    assert (f" and {count - 3} more; leave" in words) == (count > 3)
    refuse_changes("run", old, base | new, {f"model.k{n}" for n in range(count)})
    refuse_changes("run", None, new)


def test_settings_that_refer_to_others() -> None:
    config = OmegaConf.create({"a": "${b.c}", "n": {"x": 1, "y": "${b.c}"}, "b": {"c": 1}})
    config.m = "${n}"
    refers = {key: resume._refers(config, key) for key in ("a", "n", "n.x", "n.y", "m.x", "o.p")}
    assert refers == {"a": True, "n": False, "n.x": False, "n.y": True, "m.x": True, "o.p": False}


def test_changes_that_are_reported() -> None:
    old = {"steps": 2, "name": "a", "data": {"steps": 2}, "run_dir": "x", "resume": None}
    new = {**old, "steps": 3, "name": "b", "data": {"steps": "${steps}"}, "run_dir": "y"}
    config = OmegaConf.create({**new, "resume": "z", "cache_dir": "c", "allow_targets": ["d"]})
    named = ["name=b instead of a", "steps=3 instead of 2"]
    assert resume._changes(old, config, {}, {}) == named
    told = resume._changes(old, config, {"schedule.end": "x"}, {})
    length = "schedules keep the length of 2 steps: schedule.restretch=true stretches them"
    assert told == [*named, length]
    assert resume._changes(old, config, {"a": "x"}, {"a"}) == named
    config.steps = 2
    assert resume._changes(old, config, {"a": "x"}, {}) == named[:1]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("name=b", {"name": "b"}),
        ("prior.new.key=3", {"prior": {"dim": 8, "new": {"key": 3}}}),
        ("hydra.run.dir=x", {}),
        ("resume=x", {}),
        ("schedule.restretch=true", {}),
        ("~prior.dim", {"prior": {}}),
    ],
)
def test_values_that_are_put_in(given: str, expected: dict[str, Any]) -> None:
    before = {"name": "a", "prior": {"dim": 8}, "schedule": {}}
    config = OmegaConf.create(before)
    resume._apply_value(config, *parse([hydra_form(given)]))
    assert config == {**before, **expected}


@pytest.mark.parametrize("given", ["~other", "~name.key", "~prior.new"])
def test_what_is_not_there_cannot_be_taken_out(given: str) -> None:
    config = OmegaConf.create({"name": "a", "prior": {"dim": 8}})
    with pytest.raises(InputError, match=f"^{given}: the run has no {given[1:]}: leave it out"):
        resume._apply_value(config, *parse([given]))


@pytest.mark.parametrize("given", ["model=mlp", "experiment=ring", "data@data.a=mnist"])
def test_groups_that_make_another_run(given: str) -> None:
    line: Any = None
    with pytest.raises(InputError, match=r"resume: .* would make it another run"):
        resume._apply(OmegaConf.create(), [*parse([given])], line)


def composed(group: str) -> Any:
    """Return a command line that composes a group, and notes what is composed and dropped."""
    called: list[Any] = []
    node = {
        group: {"_target_": "new", "x": "${y}"},
        "evaluation": {"every": 3},
        "metrics": {"m": 1},
    }
    config = OmegaConf.create({**node, "y": 5})
    line: Any = SimpleNamespace(called=called)
    line.compose = noting(called, config)
    line.drop_unchosen = lambda dropped: called.append(dropped is config)
    return line


@pytest.mark.parametrize("group", ["backbone", "schedule"])
def test_a_group_replaces_its_node(group: str) -> None:
    before = {group: {"_target_": "old", "z": 1}, "evaluation": {"every": 9}, "metrics": {"n": 1}}
    config, line = OmegaConf.create({**before, "y": 1, "name": "a"}), composed(group)
    option = {"backbone": "plane", "schedule": "cosine"}[group]
    kept = resume._apply(config, [*parse([f"{group}={option}", "name=b"])], line)
    raw: Any = OmegaConf.to_container(config, resolve=False)
    assert raw[group] == {"_target_": "new", "x": "${y}"}
    assert raw["evaluation"] == {"every": 3 if group == "backbone" else 9}
    assert (raw["metrics"], raw["name"]) == ({"n": 1}, "b")
    assert line.called == [([f"{group}={option}"],), True]
    stay = ["metrics stay [n]: metrics=[m] are the backbone's own"]
    assert kept == (stay if group == "backbone" else [])


def test_metrics_in_another_order_are_the_same() -> None:
    one, other = ({"metrics": dict.fromkeys(names)} for names in ("ab", "ba"))
    assert resume._kept_metrics(OmegaConf.create(one), OmegaConf.create(other)) == []


def test_folders_become_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    node = {"root": "a", "a": {"root": "~/b"}, "b": {"root": "${data.root}"}}
    config = OmegaConf.create({"init": "~/run", "data": node})
    resume.make_root_absolute(config)
    raw: Any = OmegaConf.to_container(config, resolve=False)
    here = str(Path.cwd() / "a")
    assert raw["data"] == {"root": here, "a": {"root": "/home/me/b"}, "b": {"root": "${data.root}"}}
    assert raw["init"] == "/home/me/run"
    config = OmegaConf.create({"init": None, "data": {"root": None}})
    resume.make_root_absolute(config)
    assert config == {"init": None, "data": {"root": None}}


def test_a_resumption_stays_as_it_is() -> None:
    found: Any = Resumption(OmegaConf.create())
    assert (found.changes, found.expressions, found.stretched) == ([], {}, frozenset())
    with pytest.raises(FrozenInstanceError):
        found.changes = ["a"]


# Weights of another run


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Share(3, {}, 0), "3 of 3 tensors"),
        (Share(3, {}, 2), "3 of 3 tensors; 2 of the source unused"),
        (Share(1, {"a": "is absent there"}, 0), "1 of 2 tensors; left: a is absent there"),
        (Share(1, dict.fromkeys("abc", "x"), 0), "1 of 4 tensors; left: a x, b x, c x"),
        (Share(1, dict.fromkeys("abcde", "x"), 1), "1 of 6 tensors; left: a x, b x, c x, 2 more"),
        (Share(0, dict.fromkeys("abc", "x"), 0), "0 of 3 tensors; left: a x, 2 more"),
        (Share(0, {"a": "x"}, 0), "0 of 1 tensors; left: a x"),
    ],
)
def test_a_share_in_words(share: Share, text: str) -> None:
    assert str(share).startswith(text)
    assert ("unused" in str(share)) == (share.unused > 0)


def test_an_origin_is_written_and_read(tmp_path: Path) -> None:
    assert read_origin(tmp_path) is None
    share = Share(2, {"a": "x"}, 1)
    origin = Origin("run", "model.st", "0123456789abcdef", 1234, 9, {"generator": share}, ["other"])
    origin.write(tmp_path)
    found = read_origin(tmp_path)
    assert found is not None
    assert (found["step"], found["networks"]["generator"]["left"]) == (1234, {"a": "x"})
    assert origin.lines == [
        "run/model.st, step 1,234, sha256 0123456789ab",
        f"generator: {share}",
        "not taken: other",
    ]
    origin.unused = []
    assert len(origin.lines) == 2


def test_tensors_of_the_same_name_and_shape_are_taken() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = {**network.state_dict(), "more": torch.ones(1)}
    given: dict[str, Any] = {name: torch.full_like(v, 7.0) for name, v in state.items()}
    given["0.weight"] = torch.ones(3, 3)
    del given["1.bias"]
    before = network.state_dict()["0.weight"].clone()
    share = initialisation._take(network, given, Path("x"))
    assert share == Share(
        2, {"0.weight": "is (3, 3) there and (3, 2) here", "1.bias": "is absent there"}, 1
    )
    after = network.state_dict()
    assert torch.equal(after["0.weight"], before)
    assert after["0.bias"].tolist() == [7.0] * 3
    given["0.bias"] = torch.full((3,), float("nan"))
    with pytest.raises(InputError, match=r"init: x: 0\.bias .*not finite.*: give another source"):
        initialisation._take(network, given, Path("x"))


@pytest.mark.parametrize(
    ("left", "refused"),
    [
        ({"a.weight", "b.weight"}, True),
        ({"a.weight", "b.weight", "a.bias"}, True),
        ({"a.weight", "a.bias"}, False),
        (set(), False),
    ],
)
def test_a_source_shares_weights_of_the_generator(left: set[str], refused: bool) -> None:
    state = {"a.weight": torch.ones(2, 2), "b.weight": torch.ones(1, 2), "a.bias": torch.ones(2)}
    state["entry.weight"] = torch.ones(3, 3)
    game: Any = SimpleNamespace(generator=SimpleNamespace(state_dict=lambda: state))
    shares = {"generator": Share(1, dict.fromkeys(left, "is absent there"), 0)}
    if refused:
        with pytest.raises(InputError, match=r"init=run: none .* \(a\.weight is absent there\)"):
            initialisation._check("run", game, shares)
    else:
        initialisation._check("run", game, shares)


def test_a_state_by_network() -> None:
    one = torch.ones(1)
    state = {"a.b.c": one, "a.d": one, "e.f": one, "alone": one}
    found = initialisation._by_network(state)
    assert {name: [*inner] for name, inner in found.items()} == {"a": ["b.c", "d"], "e": ["f"]}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_frozen_layers_in_words(count: int) -> None:
    both: list[list[nn.Module]] = [[nn.Linear(20, 50)], [nn.Conv2d(1, 1, 1), nn.ReLU()]]
    layers = both[:count]
    game: Any = SimpleNamespace(frozen_layers=[nn.ModuleList(layer) for layer in layers])
    assert (
        initialisation._frozen(game)
        == {
            0: [],
            1: ["frozen: 1 layer of the discriminator, 1,050 parameters (Linear)"],
            2: ["frozen: 2 layers of the discriminator, 1,052 parameters (Linear, Conv2d)"],
        }[count]
    )


@pytest.mark.parametrize(
    ("init", "count", "resumed", "steps"),
    [
        (None, 0, False, []),
        ("a", 2, True, ["freeze 2"]),
        ("a", 0, True, []),
        ("a", 2, False, ["freeze 2", "inherit", "refuse", "write"]),
        ("a", 0, False, ["inherit", "write"]),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_weights_are_taken_once(
    init: str | None,
    count: int,
    resumed: bool,
    steps: list[str],
    first: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    game: Any = SimpleNamespace(freeze_discriminator=lambda n: done.append(f"freeze {n}"))
    game.frozen_layers = [1] * count
    origin = SimpleNamespace(lines=["from there"], write=lambda folder: done.append("write"))

    def inherit(*_: Any) -> Any:
        done.append("inherit")
        return origin

    monkeypatch.setattr(initialisation, "_inherit", inherit)
    monkeypatch.setattr(initialisation, "_refuse_new_layers", lambda *_: done.append("refuse"))
    monkeypatch.setattr(initialisation, "_frozen", lambda game: ["frozen"])
    monkeypatch.setattr(initialisation, "is_first_process", lambda: first)
    node = {"init": init, "freeze": {"discriminator": count}, "run_dir": "x"}
    found = initialisation.prepare(game, OmegaConf.create(node), resumed)
    assert found == ([] if init is None else ["frozen"] if resumed else ["from there", "frozen"])
    assert done == [step for step in steps if first or step != "write"]


def test_networks_of_an_export() -> None:
    game = test_acgan.game(Auxiliary(3))
    own = {*game.answering()}
    assert {*weights.networks(game)} == own
    kept = weights.networks(game, ["discriminator"])
    assert {*kept} == own | {"discriminator"}
    assert kept["discriminator"] is game.discriminator
    with pytest.raises(InputError, match=r"^critic: ACGAN has no such network: leave it out"):
        weights.networks(game, ["critic"])


def test_weights_are_written_whole(tmp_path: Path) -> None:
    parts = nn.ModuleDict({"a": nn.Linear(2, 3)})
    parts["a"].weight.data = torch.rand(2, 3).t()
    weights.write(tmp_path / "x", parts)
    found = weights.read(tmp_path / "x")
    assert found.keys() == parts.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in parts.state_dict().items())
    assert b'"format":"pt"' in (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(b"words")
    with pytest.raises(InputError, match="is no whole safetensors file"):
        weights.read(tmp_path / "x")


# Batches, data and settings


def domains(source: int, image: int, labelled: int | None = None) -> Any:
    """Return data of two domains, or of one."""
    found = {"a": SimpleNamespace(resolution=source)} if source else {}
    return SimpleNamespace(
        name="digits", domains=found, resolution=image, labels_per_class=labelled
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (domains(8, 8), None),
        (domains(8, 8, 4), "data.labelled=4"),
        (domains(0, 8), "digits has one domain, and the game translates between two"),
        (domains(4, 8), "sources have 4 pixels a side and images 8, and the generator enlarges 1"),
        (domains(8, 4), "sources have 8 pixels a side and images 4"),
    ],
)
def test_batches_of_a_translation(given: Any, words: str | None) -> None:
    if words is None:
        check_batches(conditional(), given)
    else:
        with pytest.raises(InputError, match=words):
            check_batches(conditional(), given)
    check_batches(object(), given)


@pytest.mark.parametrize(
    ("kind", "devices", "cores", "words"),
    [
        ("cpu", 4, 4, None),
        ("cpu", 5, 4, "devices=5: this machine has 4 cores: give no more"),
        ("cpu", 2, 1, None),
        ("cpu", 3, 1, "this machine has 2 cores"),
        ("cpu", 3, None, "this machine has 2 cores"),
        ("cpu", "auto", 1, None),
        ("gpu", 9, 1, None),
    ],
)
def test_processes_and_cores(
    kind: str, devices: Any, cores: int | None, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    node = OmegaConf.create({"accelerator": kind, "devices": devices})
    if words is None:
        data._check_cores(node)
    else:
        with pytest.raises(InputError, match=words):
            data._check_cores(node)


def test_classes_are_counted_where_data_tell_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(data, "validate", lambda config: seen.append(config.data.num_classes))
    monkeypatch.setattr(data, "_check_cores", lambda node: None)
    monkeypatch.setattr(data, "build", lambda node, allowed: SimpleNamespace(num_classes=7))
    for before, checked, after in ((None, 0, 7), (5, 5, 5), (0, 0, 0)):
        node = {"data": {"num_classes": before}, "accelerator": {}, "allow_targets": []}
        config = OmegaConf.create(node)
        data.check_settings(config)
        assert (seen[-1], config.data.num_classes) == (checked, before)
        data.count_classes(config)
        assert config.data.num_classes == after
    without = OmegaConf.create({"data": {"name": "a"}, "allow_targets": []})
    data.count_classes(without)
    assert without.data == {"name": "a"}
    data.count_classes(OmegaConf.create({"allow_targets": []}))


@pytest.mark.parametrize(
    ("names", "classes", "written"),
    [(["a", "b"], 2, True), (["a", "b"], 0, False), ([], 2, False), (None, 2, False)],
)
def test_names_of_classes_are_written(
    names: Any, classes: int, written: bool, tmp_path: Path
) -> None:
    data.write_classes(tmp_path, SimpleNamespace(class_names=names, num_classes=classes))
    assert (tmp_path / "classes.json").exists() is written


def test_settings_for_another_machine() -> None:
    content = {
        **{"run_dir": "/r", "cache_dir": "/c", "resume": None, "allow_targets": [], "hydra": {}},
        **{"callbacks": {"a": 1}, "logger": {"b": 1}, "trainer": {"c": 1}, "doctor": {"d": 1}},
        **{"name": "x", "data": {"root": "/a/b", "list": ["/c/d", "e/f", 3], "of": "${cache_dir}"}},
    }
    assert portable(OmegaConf.create(content)) == {
        "data": {"root": "b", "list": ["d", "e/f", 3], "of": "${cache_dir}"},
        **{"callbacks": {}, "logger": {}, "trainer": {}, "doctor": None, "name": None},
    }
    assert plain(OmegaConf.create({"a": 1, "b": {"c": "${a}"}})) == {"a": 1, "b": {"c": 1}}


# Uses and results

SAMPLE = ("sample", "n=64")
RESTORE, TRANSLATE = ("restore", "images=FOLDER out=restored"), ("translate", "images=FOLDER out=")


@pytest.mark.parametrize(
    ("make", "restores", "commands"),
    [
        (lambda: test_acgan.game(Auxiliary(3)), False, ["sample", "classify"]),
        (conditional, True, ["restore"]),
        (conditional, False, ["translate"]),
        (contrastive, False, ["translate"]),
        (sharpening, True, ["restore"]),
        (cycle, True, ["restore", "translate"]),
        (cycle, False, ["translate"]),
        (object, False, ["sample"]),
    ],
)
def test_commands_to_begin_with(
    make: Callable[[], Any], restores: bool, commands: list[str]
) -> None:
    found = first_commands(make(), restores)
    assert [name for name, _ in found] == commands
    folders = {"restore": "restored", "translate": "translated"}
    for name, given in found:
        if name in folders:
            assert given == f"images=FOLDER out={folders[name]}"
    assert found[0] != SAMPLE or found[:1] == [SAMPLE]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: test_acgan.game(Auxiliary(3)), "its ACGAN draws images from latents"),
        (conditional, "its Pix2Pix turns images into images: use ganymede translate or restore"),
        (object, "its model is no game of this project"),
    ],
)
def test_what_a_game_does(make: Callable[[], Any], words: str) -> None:
    assert describe(make()).startswith(words)


def test_values_of_results() -> None:
    found = made(Path("x"))
    assert (found.score, found.best_step, found.runtime) == (5.0, 5, 2.0)
    assert made(Path("x"), monitor=None).score is None
    assert made(Path("x"), monitor="other").score is None
    assert made(Path("x"), best={}).best_step == 10
    assert made(Path("x"), best={"step": float("nan")}).best_step == 10
    finished = [made(Path("x"), steps=steps).finished(10) for steps in (9, 10, 11)]
    assert finished == [False, True, True]
    assert made(Path("x"), steps=1, stopped="no better").finished(10)


@pytest.mark.parametrize(
    ("given", "planned", "more"),
    [
        ({}, 0, "steps=20"),
        ({}, 10, "steps=20"),
        ({}, 11, "steps=11"),
        ({"stopped": "x"}, 11, "stop.patience=null"),
    ],
)
def test_how_a_run_goes_on(given: dict[str, Any], planned: int, more: str) -> None:
    assert made(Path("x"), **given)._more(planned) == more


def test_the_length_of_a_run_in_words() -> None:
    found = made(Path("x"), steps=1234, images=56789, seconds_measuring=None)
    assert found._summary() == "1,234 steps, 56,789 images; 2 s of training, 0 s of measuring"
    found.final = {}
    assert found._summary().endswith("2 s of training, no metrics")
    assert made(Path("x"), steps=1, images=1)._summary().startswith("1 step, 1 image; ")


def test_columns_of_the_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = {"references": {"input": {"domain/fid": 9.0}}, "baseline": {"domain/fid": 0.5}}
    test = {"domain/fid": 5.5}
    made(tmp_path, **given, test=test, stopped="no better").show()
    (tmp_path / "samples").mkdir()
    shown = capsys.readouterr().out
    lines = [[c.strip() for c in line.split("│")[1:-1]] for line in shown.splitlines()]
    assert ["domain/fid", "9.000", "6.000", "5.000", "5.500", "0.500"] in lines
    assert ["step", "", "10", "5", "5", ""] in lines
    assert "stopped:    no better" in shown
    assert "samples:" not in shown
    for name in ("step_1.png", "step_2.png"):
        (tmp_path / "samples" / name).touch()
    made(tmp_path).show()
    shown = capsys.readouterr().out
    assert f"samples:    {tmp_path}/samples/step_2.png" in shown
    assert "best, on test" not in shown
    head = next(line for line in shown.splitlines() if "unseen reals" in line)
    assert head.index("last") < head.index("best") < head.index("unseen reals")


@pytest.mark.parametrize(
    ("head", "changes", "expected"),
    [("abc\n", "", "abc"), ("abc\n", " M a\n", "abc+"), ("", "", None)],
)
def test_the_commit_of_the_source(
    head: str, changes: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **given: Any) -> Any:
        assert given == {"capture_output": True, "text": True}
        place = str(Path(results.__file__).parent)
        assert command[:3] == ["git", "-C", place]
        return SimpleNamespace(stdout=head if command[3] == "rev-parse" else changes)

    monkeypatch.setattr(subprocess, "run", run)
    assert results.commit() == expected


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", fail)
    assert results.commit() is None


# Translation


class Halved:
    """A degradation that keeps every second pixel, and notes its keys."""

    scale = 2

    def __init__(self) -> None:
        self.checked: list[Any] = []
        self.keys: list[Any] = []

    def check(self, *given: int) -> None:
        self.checked.append(given)

    def __call__(self, images: Tensor, keys: Any) -> Tensor:
        self.keys.append(keys)
        return images[..., ::2, ::2]


def test_pictures_are_cut_before_they_are_degraded() -> None:
    task = Halved()
    image, source = Degrading(task, 5)(3, torch.rand(1, 7, 4))
    assert (image.shape, source.shape) == ((1, 6, 4), (1, 3, 2))
    assert (task.checked, task.keys) == ([(1, 4)], [[(5, 3)]])
    for sides in ((1, 4), (4, 1)):
        with pytest.raises(InputError, match="degrade: a picture has fewer than 2 pixels a side"):
            Degrading(task, 5)(3, torch.rand(1, *sides))


def translating(resolution: int, scale: int = 1, convolutional: bool = True) -> Any:
    """Return the translation of a run whose game copies images of up to 200 pixels a side."""

    def translate(images: Tensor, direction: str) -> Tensor:
        if max(images.shape) > 200:
            raise RuntimeError("too large " * 20)
        assert direction == "ba"
        return images

    found = RunTranslation.__new__(RunTranslation)
    settings = {"data": {"resolution": resolution, "channels": 1}, "task": None}
    game: Any = SimpleNamespace(scale=scale, convolutional=convolutional, translate=translate)
    found._config, found._game, found._direction = OmegaConf.create(settings), game, "ba"
    found._allowed, found.side = ["mine"], resolution // scale
    return found


@pytest.mark.parametrize(
    ("tile", "overlap", "resolution", "convolutional", "expected"),
    [
        (None, None, 16, True, [(16, 8), (128, 64)]),
        (None, 4, 16, True, [(16, 4), (128, 4)]),
        (32, None, 16, True, [(32, 16)]),
        (32, 0, 16, True, [(32, 0)]),
        (None, None, 16, False, [(16, 8)]),
        (None, None, 128, True, [(128, 64)]),
        (None, None, 127, True, [(127, 63), (128, 64)]),
    ],
)
def test_tiles_of_a_run(
    tile: int | None,
    overlap: int | None,
    resolution: int,
    convolutional: bool,
    expected: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []

    def tiled(translate: Any, side: int, shared: int, scale: int) -> Any:
        assert scale == 1
        asked.append((side, shared))
        return lambda image: side

    monkeypatch.setattr(translation, "TiledTranslation", tiled)
    found = translating(resolution, convolutional=convolutional).in_tiles(tile, overlap)
    assert asked == expected
    small, large = torch.zeros(1, 1, resolution), torch.zeros(1, resolution + 1, 1)
    assert (found(small), found(large)) == (expected[0][0], expected[-1][0])


def test_a_tile_that_networks_do_not_take() -> None:
    with pytest.raises(InputError) as caught:
        translating(16).in_tiles(201, None)
    words = str(caught.value)
    assert words.startswith("tile=201: the networks do not take it (too large too large")
    assert words.endswith("...): give 16, the size of training, or a multiple")
    assert len(words) < 200


def test_the_degradation_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = translating(16)
    empty: list[Any] = [None, {}]
    for node in empty:
        found._config.task = node
        with pytest.raises(InputError, match="degrade: the run has no task"):
            found.degrading(3)
    found._config.task = {"_target_": "x"}
    monkeypatch.setattr(translation, "build", lambda node, allowed: (node, allowed))
    degrading = found.degrading(3)
    assert (degrading.task, degrading.seed) == (({"_target_": "x"}, ["mine"]), 3)


def test_the_sources_of_a_run_that_enlarges(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    game = SimpleNamespace(scale=2, check_direction=asked.append)
    moved: Any = SimpleNamespace(to=noting(asked, game))
    monkeypatch.setattr(translation, "load_game", noting_all(asked, moved))
    config = OmegaConf.create({"data": {"resolution": 16}})
    run: Any = SimpleNamespace(config=config, allow_targets=[])
    found = RunTranslation(run, "last", "ba", torch.device("cpu"))
    assert found.side == 8
    kind = {"kind": TranslationGame}
    assert asked == [((run, "last"), kind), (torch.device("cpu"),), "ba"]
