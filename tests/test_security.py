"""Files from strangers: none of them gets a line of its own code run."""

import ast
import json
import os
import pickle
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image

import gan
from datamodules import image_files
from datamodules.cifar10 import CIFAR10
from datamodules.cifar100 import CIFAR100
from datamodules.image_folder import ImageFolder
from datamodules.svhn import SVHN
from datamodules.usps import USPS
from gan.backbones import cache
from gan.backbones.weights import weights_only_load
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.runs.cleanup import Cleanup
from gan.runs.folder import Run
from gan.runs.resume import resume
from gan.settings import trust
from gan.settings.commandline import CommandLine
from gan.settings.errors import explain
from tests.configs import ROOT
from tests.conftest import Compose, composing

MLP = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]"]
SOURCES = [*ROOT.glob("gan/**/*.py"), *ROOT.glob("datamodules/**/*.py")]


class Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return open, (str(self.marker), "w")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def pickled(tmp_path: Path, marker: Path) -> Path:
    """Return a file of a bare pickle."""
    path = tmp_path / "pickled.pt"
    path.write_bytes(pickle.dumps({"weight": Payload(marker)}))
    return path


@pytest.fixture
def saved(tmp_path: Path, marker: Path) -> Path:
    """Return a file as torch writes it."""
    path = tmp_path / "saved.pt"
    torch.save({"clock": {"step": 1}, "state_dict": {}, "weight": Payload(marker)}, path)
    return path


@pytest.fixture(params=["pickled", "saved"])
def hostile(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Return a function from overrides to a config that leaves Hydra free for the next command."""
    folder = tmp_path_factory.mktemp("security")

    def composed(*overrides: str) -> DictConfig:
        with composing(folder) as inner:
            return inner(*overrides)

    return composed


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, compose: Compose) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    train(compose(*MLP, f"run_dir={folder}"))
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """Return a run folder that a stranger may have changed."""
    copy = tmp_path / "run"
    for path in finished.rglob("*"):
        if path.is_file():
            place = copy / path.relative_to(finished)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    return copy


def refused(command: Callable[[], object], marker: Path) -> str:
    """Return the one line by which a command refuses a hostile file."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        command()
    assert not marker.exists()
    line = explain(caught.value)
    assert line is not None, repr(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.filterwarnings("ignore:'torch.load' received")
def test_the_payload_works(hostile: Path, marker: Path) -> None:
    with suppress(RuntimeError):  # that it was no checkpoint after all
        torch.load(hostile, weights_only=False)
    assert marker.exists()


def command(name: str, run: Path, compose: Compose) -> None:
    if name == "load":
        gan.load(run)
    elif name == "resume":
        train(compose(*MLP, "steps=4", f"run_dir={run}", f"resume={run}"))
    else:
        dispatch([name, f"run={run}"])


@pytest.mark.parametrize("name", ["load", "resume", "sample", "interpolate", "evaluate"])
def test_a_hostile_checkpoint(
    name: str, run: Path, hostile: Path, marker: Path, compose: Compose
) -> None:
    path = run / "checkpoints" / "last.ckpt"
    path.write_bytes(hostile.read_bytes())
    line = refused(lambda: command(name, run, compose), marker)
    assert f"{path} is not a whole checkpoint" in line


@pytest.mark.parametrize("backbone", ["inception", "squeezenet", "clip", "domain"])
def test_hostile_weights(
    backbone: str, run: Path, hostile: Path, marker: Path, compose: Compose
) -> None:
    given = [f"backbone={backbone}", f"backbone.weights={hostile}"]
    assert str(hostile) in refused(lambda: train(compose(*MLP, *given)), marker)
    given = [f"run={run}", f"backbone={backbone}", f"weights={hostile}", "metrics=[fid]"]
    assert str(hostile) in refused(lambda: dispatch(["evaluate", *given]), marker)


def test_packages_that_would_load_anything(hostile: Path, marker: Path) -> None:
    with pytest.raises(pickle.UnpicklingError), weights_only_load():
        torch.load(hostile, weights_only=False)
    assert not marker.exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_a_hostile_cache_is_computed_again(
    hostile: Path, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cache.load(hostile) is None
    assert not marker.exists()
    assert capsys.readouterr().out.startswith(f"{hostile} is damaged")


@pytest.mark.filterwarnings("ignore:data.verify=false")
@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100, SVHN, USPS])
def test_hostile_data(kind: type[CIFAR10 | SVHN | USPS], tmp_path: Path, marker: Path) -> None:
    for file in kind.files["train"]:
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps({"data": Payload(marker), "labels": []}))
    facts = {"channels": 3, "resolution": 32, "num_classes": 0, "batch_size": 8}
    module = kind(**facts, root=str(tmp_path), verify=False)  # type: ignore[arg-type]
    assert "cannot be read" in refused(lambda: module.setup("fit"), marker)


TARGETS = [
    *("os.system", "builtins.exec", "subprocess.Popen", "pathlib.Path", "torch.load"),
    *("torch.hub.load", "torch.utils.cpp_extension.load", "hydra.utils.get_class"),
    # what a module of this project imports
    *("gan.runs.results.subprocess.run", "gan.runs.results.os.system"),
    *("gan.runs.checkpoints.ZipFile", "gan.runs.checkpoints.build"),
    *("gan.runs.checkpoints.torch.load", "torch.nn.torch.load"),
    # functions of this project that write files
    *("gan.backbones.cache.save", "gan.pictures.save_grid"),
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_hostile_target(target: str, run: Path, marker: Path, compose: Compose) -> None:
    line = refused(lambda: train(compose(*MLP, f"loss._target_={target}")), marker)
    assert target in line
    path = run / ".hydra" / "config.yaml"
    path.write_text(path.read_text().replace("gan.latents.Gaussian", target))
    for name in ("load", "sample", "evaluate"):
        assert target in refused(lambda name=name: command(name, run, compose), marker)  # type: ignore[misc]


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.system", "command": "touch {marker}"},
        {"_target_": "os.system", "_args_": ["touch {marker}"], "_partial_": True},
        {"_target_": "gan.latents.Gaussian", "dim": {"_target_": "os.system"}},
        {"layers": [[{"_target_": "os.system", "_args_": ["touch {marker}"]}]]},
        {"_target_": "${oc.env:HOSTILE}", "command": "touch {marker}"},
        {"inner": "${oc.create:{_target_: os.system, command: touch {marker}}}"},
        {"inner": "\\${oc.create:{_target_: os.system, command: touch {marker}}}"},
        {"_target_": {"_target_": "os.system"}},
    ],
)
def test_a_hostile_node(
    node: dict[str, Any], marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTILE", "os.system")
    config = OmegaConf.create(json.loads(json.dumps(node).replace("{marker}", str(marker))))
    assert isinstance(config, DictConfig)
    line = refused(lambda: trust.build(config), marker)
    assert "allow_targets=[PACKAGE]" in line or "an interpolation within another" in line


def test_a_hostile_node_within_a_list(marker: Path, compose: Compose) -> None:
    given = [*MLP[:1], "model.generator.hidden=[{_target_:pathlib.Path}]"]
    line = refused(lambda: train(compose(*given)), marker)
    assert "model.generator.hidden=[{'_target_': 'pathlib.Path'}]: give a list" in line


@pytest.mark.parametrize(
    "own", ["datamodules.digits.Digits", "gan.backbones.domain.DomainBackbone"]
)
def test_hostile_data_and_metrics_of_a_run(
    own: str, run: Path, marker: Path, compose: Compose
) -> None:
    node = compose(*MLP, "backbone=domain")
    text = OmegaConf.to_yaml(node).replace(own, "pathlib.Path")
    (run / ".hydra" / "config.yaml").write_text(text)
    assert "_target_=pathlib.Path: no class of" in refused(
        lambda: command("evaluate", run, compose), marker
    )


@pytest.fixture
def foreign(tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a package that makes the marker when it is imported."""
    (tmp_path / "foreign.py").write_text(
        f"open({str(marker)!r}, 'w')\nfrom pathlib import Path\n"
        "def gaussian(dim):\n    from gan.latents import Gaussian\n    return Gaussian(dim)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "foreign"
    sys.modules.pop("foreign", None)


def test_a_foreign_module_is_not_even_imported(foreign: str, marker: Path) -> None:
    with pytest.raises(InputError, match=r"allow_targets=\[PACKAGE\]"):
        trust.find("prior", f"{foreign}.gaussian")
    assert not marker.exists()


def test_a_package_may_be_trusted(foreign: str, marker: Path, run: Path, compose: Compose) -> None:
    given = [f"prior._target_={foreign}.gaussian", f"allow_targets=[{foreign}]", f"run_dir={run}"]
    train(compose(*MLP, *given))
    assert marker.exists()
    assert gan.load(run, allow_targets=[foreign]).sample(2).shape[0] == 2
    with pytest.raises(InputError, match=f"{foreign}.gaussian"):
        gan.load(run)
    with pytest.raises(InputError, match="no class of"):  # what the package merely imports
        trust.find("prior", f"{foreign}.Path", [foreign])


def resumed(run: Path) -> DictConfig:
    """Return the settings with which a stranger's run would be resumed."""
    return resume(Run(run), CommandLine([f"resume={run}", "steps=4"])).config


@pytest.mark.parametrize(
    "override",
    [
        "hydra.callbacks.x._target_=os.system",
        "++hydra.callbacks={x: {_target_: os.system}}",
        "+loss@hydra.callbacks=../../../tmp/hostile",
        "hydra/job_logging=colorlog",
        "hydra.searchpath=[file:///tmp]",
        "allow_targets=[os]",
        "model.generator._target_=os.system",
    ],
)
def test_overrides_of_a_run_are_not_replayed(override: str, run: Path, marker: Path) -> None:
    before = OmegaConf.to_container(resumed(run))
    OmegaConf.save(OmegaConf.create(["steps=2", override]), run / ".hydra" / "overrides.yaml")
    assert OmegaConf.to_container(resumed(run)) == before
    assert not marker.exists()


def changed(run: Path, key: str, value: object) -> None:
    """Set a value in the stored settings of a run."""
    path = run / ".hydra" / "config.yaml"
    config = OmegaConf.load(path)
    OmegaConf.update(config, key, value, force_add=True)
    OmegaConf.save(config, path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hydra", {"callbacks": {"x": {"_target_": "os.system"}}}),
        ("allow_targets", ["os"]),
        ("run_dir", "/tmp/elsewhere"),
        ("cache_dir", "/tmp/elsewhere"),
        ("resume", "/tmp/elsewhere"),
    ],
)
def test_settings_that_are_never_taken_from_a_run(key: str, value: object, run: Path) -> None:
    before = OmegaConf.to_container(resumed(run))
    changed(run, key, value)
    assert OmegaConf.to_container(resumed(run)) == before


@pytest.mark.parametrize("place", ["/tmp/elsewhere", "${data.root}", "${run_dir}/../elsewhere"])
def test_decoded_images_are_kept_in_the_cache_of_this_user(place: str, run: Path) -> None:
    changed(run, "data.root", "/tmp/elsewhere")
    changed(run, "data.cache", place)
    assert resumed(run).data.cache == resumed(run).cache_dir
    changed(run, "data.cache", None)
    assert resumed(run).data.cache is None


@pytest.mark.parametrize(
    "key",
    [
        "callbacks.samples.folder",
        "callbacks.checkpoints.folder",
        "doctor.folder",
        "logger.tensorboard.save_dir",
        "evaluation.cache",
        "backbone.cache",
    ],
)
@pytest.mark.parametrize("place", ["/tmp/elsewhere", "${run_dir}/../elsewhere", "elsewhere"])
def test_a_run_writes_nowhere_else(key: str, place: str, run: Path, marker: Path) -> None:
    changed(run, key, place)
    line = refused(lambda: resumed(run), marker)
    assert "outside the run folder" in line or "is not the cache_dir" in line


@pytest.mark.parametrize(
    "value", ["${oc.env:HOME}", "${oc.create:x}", "${hydra:runtime.cwd}", "${oc.decode:1}"]
)
def test_settings_of_a_run_read_nothing_else(value: str, run: Path, marker: Path) -> None:
    changed(run, "name", value)
    assert "name computes" in refused(lambda: resumed(run), marker)


def test_expressions_of_a_run_compute_lengths_alone(run: Path) -> None:
    path = run / ".hydra" / "expressions.yaml"
    hostile = {"name": "${oc.env:HOME}", "steps": "${product:${oc.env:HOME},2}"}
    OmegaConf.save(OmegaConf.create({"expressions": hostile}), path)
    assert "name" not in Run(run).settings()[1]
    assert "steps" not in Run(run).settings()[1]


@pytest.mark.parametrize("name", ["config", "overrides"])
def test_hostile_yaml(name: str, run: Path, marker: Path) -> None:
    path = run / ".hydra" / f"{name}.yaml"
    path.write_text(f"!!python/object/apply:os.system ['touch {marker}']")
    used = {"config": lambda: gan.load(run), "overrides": lambda: resumed(run)}
    assert str(path) in refused(used[name], marker)


STRANGE = [
    ("model", 3, "model=3: give its keys"),
    ("model", None, "model=null: give its keys"),
    ("optimizer", 3, "optimizer=3: give its keys"),
    ("name", "${loss}", "give text or null"),
    ("name", "${..above}", "a value refers to a setting that is not there"),
    ("prior", None, "a value refers to a setting that is not there"),
    ("data", [1, 2], "a value refers to a setting that is not there"),
    ("steps", 1.5, "steps=1.5: give a whole number"),
    ("steps", -4, "steps=-4: give a number from 1"),
    ("seed", "x", "seed=x: give a whole number"),
    ("extra", 3, "extra: no such setting"),
    ("loss._recursive_", 7, "loss._recursive_=7"),
    ("averaging.half_life", float("nan"), "averaging.half_life=nan: give a number"),
]


@pytest.mark.parametrize(("key", "value", "words"), STRANGE)
def test_strange_settings_of_a_run(
    key: str, value: object, words: str, run: Path, marker: Path
) -> None:
    path = run / ".hydra" / "config.yaml"
    config = OmegaConf.load(path)
    OmegaConf.update(config, key, value, merge=False, force_add=True)
    OmegaConf.save(config, path)
    for read in (lambda: gan.load(run), lambda: resumed(run)):
        line = refused(read, marker)
        assert line.startswith(f"{path}: ")
        assert words in line


def test_settings_of_any_size(run: Path, marker: Path) -> None:
    path = run / ".hydra" / "config.yaml"
    os.truncate(path, 10 * 2**30)
    assert str(path) in refused(lambda: gan.load(run), marker)
    with pytest.raises(SystemExit), Cleanup(str(run)):
        raise SystemExit(2)
    assert path.stat().st_size == 10 * 2**30


def test_aliases_that_expand_without_end(run: Path, marker: Path) -> None:
    path = run / ".hydra" / "config.yaml"
    levels = [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
    path.write_text("\n".join(["a0: &a0 [x, x]", *levels, "model: 1", "data: 1", "metrics: 1"]))
    assert str(path) in refused(lambda: resumed(run), marker)


def test_a_pipe_in_the_place_of_settings(run: Path, marker: Path) -> None:
    path = run / ".hydra" / "overrides.yaml"
    path.unlink()
    os.mkfifo(path)
    assert str(path) in refused(lambda: resumed(run), marker)


def folder(root: Path) -> ImageFolder:
    facts = {"channels": 3, "resolution": 8, "num_classes": 0, "batch_size": 1, "workers": 0}
    return ImageFolder(**facts, root=str(root))  # type: ignore[arg-type]


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    path = tmp_path / "image.png"
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "name", ["../0.png", "a/../../0.png", "/etc/0.png", "..\\0.png", "C:\\0.png", "C:0.png"]
)
def test_a_zip_that_leads_out(name: str, tmp_path: Path, image: bytes, marker: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", image)
        archive.writestr(name, image)
    assert f"{path}: " in refused(lambda: folder(path).setup("fit"), marker)


def test_a_link_in_a_zip(tmp_path: Path, marker: Path) -> None:
    path, link = tmp_path / "images.zip", zipfile.ZipInfo("0.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "is outside the archive" in refused(lambda: folder(path).setup("fit"), marker)


@pytest.mark.parametrize("side", [10_000, 20_000])  # Pillow warns of one and refuses the other
@pytest.mark.parametrize("streamed", [False, True])
def test_an_image_bomb(side: int, streamed: bool, tmp_path: Path, marker: Path) -> None:
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / "0.png"
    Image.new("1", (side, side)).save(path)
    module = folder(tmp_path / "images")
    module.memory_limit = 0 if streamed else module.memory_limit
    line = refused(lambda: list(module.reals("train", 1)), marker)
    assert line.startswith(f"{path}: has more than 89,478,485 pixels")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_any_size(
    packed: bool, tmp_path: Path, image: bytes, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "MAX_FILE_BYTES", 1000)
    root = tmp_path / ("images.zip" if packed else "images")
    if packed:
        with zipfile.ZipFile(root, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("0.png", image + b"\0" * 100_000)
        assert root.stat().st_size < 1000
    else:
        root.mkdir()
        (root / "0.png").write_bytes(image + b"\0" * 100_000)
    assert "larger than 1,000 bytes" in refused(lambda: folder(root).setup("fit"), marker)


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_reads_pickles_on_trust(path: Path) -> None:
    banned = {"pickle.load", "pickle.loads", "yaml.load", "eval", "exec", "get_object"}
    harmless = {"torch.load": ("weights_only", "True"), "np.load": ("allow_pickle", "False")}
    for name, call in calls(path):
        assert name not in banned, ast.unparse(call)
        assert not name.endswith(("extractall", "extract")) or "zip" not in path.read_text()
        if name in harmless:
            given = [(word.arg, ast.unparse(word.value)) for word in call.keywords]
            assert harmless[name] in given, ast.unparse(call)
