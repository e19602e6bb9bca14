"""Run folders and exports: what they hold, and the names of their checkpoints."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.errors import InputError
from gan.runs import folder as folders
from gan.runs.folder import Description, Export, Run, check_run, holds_run, names_of, open_run
from gan.settings.composing import compose
from gan.settings.stored import save

KEPT: list[tuple[str, bool]] = [
    *((name, True) for name in ("checkpoints/last.ckpt", "metrics.csv", "results.json")),
    *((name, True) for name in ("checkpoints/a.part", ".hydra/config.yaml")),
    *((name, False) for name in (".hydra/lock", "notes.txt", "samples/a.png")),
]


@pytest.mark.parametrize(("name", "held"), KEPT)
def test_what_a_run_leaves(name: str, held: bool, tmp_path: Path) -> None:
    assert not holds_run(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert holds_run(tmp_path) is held


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a run that was started and has no checkpoint."""
    given = ["model=mlp", "metrics=[]", "run_dir=x", "cache_dir=cache", "data.root=old"]
    save(tmp_path / "run", compose(["data=cifar10", "data.num_classes=0", *given]), given)
    return Run(tmp_path / "run", ["mypackage"])


@pytest.fixture
def export(tmp_path: Path, run: Run) -> Export:
    """Return an export without weights."""
    settings: Any = OmegaConf.to_container(run.config)
    (tmp_path / "export").mkdir()
    Description("1.0", "best", 3, 24, ["generator"], settings).write(tmp_path / "export")
    return Export(tmp_path / "export", ["mypackage"])


def test_settings_of_a_run(run: Run) -> None:
    config, expressions = run.settings()
    assert config.allow_targets == ["mypackage"]
    assert config.run_dir == str(run.path)
    assert isinstance(expressions, dict)
    assert config == run.config
    assert "data.root=old" in run.overrides


def test_wrong_settings_of_a_run_are_named(run: Run) -> None:
    path = run.path / ".hydra" / "config.yaml"
    config = OmegaConf.load(path)
    for value, words in {"many": "steps=many: give a whole number"}.items():
        config.steps = value
        OmegaConf.save(config, path)
        with pytest.raises(InputError, match=f"^{path}: {words}"):
            run.settings()


@pytest.mark.parametrize(("root", "expected"), [(None, "old"), ("new", "new"), ("~/a", "/home/a")])
def test_data_of_a_run(
    root: str | None, expected: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home")
    built: list[Any] = []

    class Data:
        may_download = True

    def build(node: Any, allowed: list[str]) -> Data:
        built.append((node.root, allowed))
        return Data()

    monkeypatch.setattr(folders, "build", build)
    assert run.data(root).may_download is False
    place = expected if root is None else str(Path(expected).absolute())
    assert built == [(place, ["mypackage"])]


def test_checkpoints_of_a_run(run: Run) -> None:
    with pytest.raises(InputError) as caught:
        run.checkpoint("best", "last")
    assert str(caught.value) == (
        f"{run.path / 'checkpoints'} has no best.ckpt or last.ckpt: it holds no checkpoint yet"
    )
    (run.path / "checkpoints").mkdir()
    for name in ("previous", "last"):
        (run.path / "checkpoints" / f"{name}.ckpt").touch()
    assert run.checkpoint("best", "last").name == "last.ckpt"
    assert run.checkpoint("previous", "last").name == "previous.ckpt"
    with pytest.raises(InputError, match=r"no best\.ckpt: it holds last\.ckpt, previous\.ckpt$"):
        run.checkpoint("best")
    assert run.existing(["best", "last", "previous"]) == ["last", "previous"]


def test_names_of_checkpoints() -> None:
    assert names_of(None) == ["best", "last"]
    assert names_of("last") == ["last"]


def test_the_kind_of_a_folder(run: Run, export: Export, tmp_path: Path) -> None:
    assert type(open_run(run.path)) is Run
    found = open_run(export.path, ["a"])
    assert (type(found), found.allow_targets, found.path) == (Export, ["a"], export.path)
    (run.path / "config.json").touch()
    assert type(open_run(run.path)) is Run
    with pytest.raises(InputError, match=r"is no run folder: it has no \.hydra/config\.yaml$"):
        open_run(tmp_path)
    with pytest.raises(InputError, match=r"; it is an export, which holds no state of training$"):
        Run(export.path)


def test_settings_of_an_export(export: Export) -> None:
    config, expressions = export.settings()
    assert expressions == {}
    assert (config.run_dir, config.allow_targets) == (str(export.path), ["mypackage"])
    assert export.description.networks == ["generator"]
    assert export.existing(["last"]) == ["best"]


@pytest.mark.parametrize(("names", "taken"), [(["best", "last"], True), (["best"], True)])
def test_weights_of_an_export(names: list[str], taken: bool, export: Export) -> None:
    with pytest.raises(InputError, match=r"has no model\.safetensors: copy the export again"):
        export.checkpoint(*names)
    (export.path / "model.safetensors").touch()
    assert export.checkpoint(*names) == export.path / "model.safetensors"
    with pytest.raises(InputError, match=r"^checkpoint=last: .* of the weights 'best': leave"):
        export.checkpoint("last")


def test_imported_weights_are_those_of_any_checkpoint(export: Export) -> None:
    (export.path / "model.safetensors").touch()
    about = export.description
    about.checkpoint = "imported"
    about.write(export.path)
    assert export.checkpoint("best", "last").name == "model.safetensors"
    with pytest.raises(InputError, match="checkpoint=best"):
        export.checkpoint("best")


def test_a_run_is_checked_with_its_checkpoint(run: Run) -> None:
    with pytest.raises(InputError, match="no checkpoint yet"):
        check_run(str(run.path))
    (run.path / "checkpoints").mkdir()
    (run.path / "checkpoints" / "last.ckpt").touch()
    check_run(str(run.path))
    check_run(str(run.path), "last")
    with pytest.raises(InputError, match=r"no best\.ckpt"):
        check_run(str(run.path), "best")
    (run.path / ".hydra" / "config.yaml").write_text("a: 1")
    with pytest.raises(InputError, match="is no config of a run"):
        check_run(str(run.path))
