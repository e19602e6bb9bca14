"""Checks of a sweep before its first job."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from gan.errors import InputError
from gan.settings.overrides import hydra_form, parse
from gan.sweeps import checks, tpe
from gan.sweeps.checks import _check_launcher, _check_machines, _values, _variants, check_sweep


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("seed=1,2,3", ["1", "3"]),
        ("lr=0.5,1", ["0.5", "1"]),
        ("loss=hinge,wgan,lsgan", ["hinge", "wgan", "lsgan"]),
        ("key=1,a,2", ["1", "a", "2"]),
        ("seed=choice(4,5,6)", ["4", "6"]),
        ("seed=range(1,8,2)", ["1", "7"]),
        ("seed=range(3)", ["0", "2"]),
        ("lr=interval(1e-5,1e-3)", ["1e-05", "0.001"]),
        ("lr=tag(log,interval(1,3))", ["1.0", "3.0"]),
        ("lr=interval(2,2)", ["2.0", "2.0"]),
        ("lr=interval(-2,0)", ["-2.0", "0.0"]),
        ("model=glob(*)", []),
    ],
)
def test_the_values_that_are_tried(given: str, values: list[str]) -> None:
    (override,) = parse([given])
    key = given.partition("=")[0]
    assert _values(override) == [f"{key}={value}" for value in values]


def test_a_fixed_setting_has_no_values_to_try() -> None:
    (override,) = parse(["seed=3"])
    assert _values(override) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("lr=interval(2,1)", "lr: interval(2.0,1.0): give the smaller end first"),
        ("lr=tag(log,interval(0,1))", "lr: tag(log,...) needs an interval above 0, not from 0"),
        ("lr=tag(log,interval(-1,1))", "lr: tag(log,...) needs an interval above 0, not from -1"),
    ],
)
def test_intervals_that_hold_nothing(given: str, words: str) -> None:
    (override,) = parse([given])
    with pytest.raises(InputError) as caught:
        _values(override)
    assert str(caught.value).startswith(words)


def test_each_value_is_tried_beside_the_first_of_the_others() -> None:
    tried = [*_variants(["f"], [["a1", "a2", "a3"], ["b1", "b2"], ["c1"]])]
    assert tried == [
        ["f", "a1", "b1", "c1"],
        ["f", "a2", "b1", "c1"],
        ["f", "a3", "b1", "c1"],
        ["f", "a1", "b2", "c1"],
    ]
    assert [*_variants(["f"], [])] == [["f"]]


@pytest.mark.parametrize("there", [None, "/usr/bin/srun"])
@pytest.mark.parametrize("target", ["hydra_plugins.ganymede.SlurmLauncher", "a.BasicLauncher"])
def test_a_launcher_without_its_program(
    there: str | None, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: there if name == "srun" else None)
    node = OmegaConf.create({"_target_": target})
    if there is None and "Slurm" in target:
        with pytest.raises(InputError, match="there is no srun on this machine"):
            _check_launcher(node)
    else:
        _check_launcher(node)


def test_a_launcher_that_starts_jobs_on_one_machine() -> None:
    one = OmegaConf.create({"devices": 3})
    _check_machines(OmegaConf.create({"tasks_per_node": 3}), one)
    _check_machines(OmegaConf.create({"nodes": 1, "tasks_per_node": 1}), one)
    with pytest.raises(InputError, match="choose sweep=slurm"):
        _check_machines(OmegaConf.create({}), OmegaConf.create({"devices": 3, "num_nodes": 3}))


class Line:
    """A command line that composes nothing.

    Args:
        given: overrides.
        sweeper: the node of Hydra's sweeper.
    """

    def __init__(self, given: list[str], sweeper: dict[str, Any]) -> None:
        self.parsed = list(parse(map(hydra_form, given)))
        self.composed: list[tuple[list[str], bool]] = []
        self.dropped: list[list[str]] = []
        self.sweeper = {"_target_": "a.Basic", **sweeper}

    def compose(self, arguments: list[str], with_hydra: bool = False) -> DictConfig:
        self.composed.append(([*arguments], with_hydra))
        hydra = {"sweep": {"dir": "absent"}, "launcher": {"_target_": "a.B"}}
        node = {"accelerator": {"devices": 1}, "run_dir": "x"}
        whole = {**node, "hydra": {**hydra, "sweeper": self.sweeper}}
        return OmegaConf.create(whole if with_hydra else node)

    def drop_unchosen(self, config: DictConfig, given: Any) -> None:
        self.dropped.append([str(override.input_line) for override in given])


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[DictConfig]:
    """Return the settings that are checked."""
    found: list[DictConfig] = []
    monkeypatch.setattr(checks, "check_settings", found.append)
    return found


def test_settings_of_the_command_line_and_of_a_search_are_checked(seen: list[DictConfig]) -> None:
    space = {"prior.dim": "range(1,4)", "lr": "0.1", "loss": "hinge,wgan"}
    line: Any = Line(["steps=3", "seed=1,2", "loss=wgan,lsgan"], {"params": space})
    check_sweep(line)
    assert line.composed[0] == (["steps=3"], True)
    tried = [arguments for arguments, _ in line.composed[1:]]
    fixed = ["steps=3", "lr=0.1"]
    assert tried == [
        [*fixed, "seed=1", "loss=hinge", "++prior.dim=1"],
        [*fixed, "seed=2", "loss=hinge", "++prior.dim=1"],
        [*fixed, "seed=1", "loss=wgan", "++prior.dim=1"],
        [*fixed, "seed=1", "loss=hinge", "++prior.dim=3"],
    ]
    assert line.dropped == tried
    assert not any(with_hydra for _, with_hydra in line.composed[1:])
    assert [config.run_dir for config in seen] == ["sweep"] * 4


@pytest.mark.usefixtures("seen")
def test_a_search_is_checked_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces: list[list[str]] = []
    monkeypatch.setattr(tpe, "check", lambda config, space: spaces.append([*space]))
    line: Any = Line(["lr=1,2"], {"_target_": tpe.TARGET, "params": {"seed": "1,2"}})
    check_sweep(line)
    assert spaces == [["lr", "seed"]]
    check_sweep(Line(["lr=1,2"], {}))  # type: ignore[arg-type]
    assert len(spaces) == 1


@pytest.mark.usefixtures("seen")
def test_a_folder_with_links_out_of_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "link").symlink_to("/etc")
    with pytest.raises(InputError, match="is a link out of"):
        check_sweep(Line(["seed=1,2"], {}))  # type: ignore[arg-type]


@pytest.mark.usefixtures("seen")
def test_launcher_and_machines_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Any, ...]] = []
    monkeypatch.setattr(checks, "_check_launcher", lambda *nodes: given.append(nodes))
    monkeypatch.setattr(checks, "_check_machines", lambda *nodes: given.append(nodes))
    check_sweep(Line(["seed=1,2"], {}))  # type: ignore[arg-type]
    launcher, accelerator = {"_target_": "a.B"}, {"devices": 1}
    assert given == [(launcher,), (launcher, accelerator), (launcher, accelerator)]
