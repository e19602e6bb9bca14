"""Ways to start training: from the checkout, as a module, by the console script, installed."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gan.commands.main import dispatch
from tests.configs import ROOT

TINY = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]", "metrics=[]"]
TINY += ["batch_size=8", "steps=2", "data=digits"]
SCRIPT = "import sys\nfrom gan.commands.main import main\nsys.exit(main())\n"  # as pip writes it
SOURCES = ("gan", "datamodules", "conf", "pyproject.toml", "README.md", "LICENSE")


def start(*command: str, folder: Path, path: Path = ROOT) -> str:
    """Run Python in another folder and return its output."""
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(path)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=settings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_carries_every_package_and_group() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    code = [path.parent for name in ("gan", "datamodules") for path in ROOT.glob(f"{name}/**/*.py")]
    conf = [folder for path in ROOT.glob("conf/**/*.yaml") for folder in path.parents]
    names = {".".join(folder.relative_to(ROOT).parts) for folder in code}
    inside = (f for f in conf if f.is_relative_to(ROOT / "conf"))
    names |= {".".join(("gan", *folder.relative_to(ROOT).parts)) for folder in inside}
    assert sorted(settings["packages"]) == sorted(names)
    assert settings["package-dir"] == {"gan.conf": "conf"}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return a console script."""
    path = tmp_path / "ganymede"
    path.write_text(SCRIPT)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("way", ["train.py", "module", "script", "torchrun"])
def test_two_processes(way: str, script: Path, tmp_path: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    ways = {
        "train.py": [str(ROOT / "train.py")],
        "module": ["-m", "gan", "train"],
        "script": [str(script), "train"],
        "torchrun": [*torchrun, str(ROOT / "train.py")],
    }
    start(*ways[way], *TINY, "accelerator=ddp_cpu", "hydra.run.dir=run", folder=tmp_path)
    assert json.loads((tmp_path / "run" / "results.json").read_text())["images"] == 16
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the wheel is installed."""
    pytest.importorskip("setuptools")
    place = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", str(place), *offline, "-w", str(place)], check=True)
    (wheel,) = place.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", place / "site", wheel], check=True)
    return place / "site"


@pytest.mark.slow
def test_an_installed_package_from_another_folder(installed: Path, tmp_path: Path) -> None:
    script = str(installed / "bin" / "ganymede")
    assert not (installed / "train.py").exists()
    where = {"folder": tmp_path, "path": installed}
    start(script, "train", *TINY, "accelerator=cpu", "hydra.run.dir=run", **where)
    assert start(script, "sample", "run=run", **where) == "run/samples.png\n"
    assert "composes" in start(script, "models", "model=mlp", **where)
    evaluated = ["evaluate", "run=run", "n=1000", "seeds=1", "metrics=[fid]"]
    assert "evaluation.json" in start(script, *evaluated, **where)
    sweep = ["sweep=parallel", "seed=0,1", "accelerator=cpu", "hydra.sweep.dir=sweep"]
    assert "2 of 2" in start(script, "train", "-m", *TINY, *sweep, **where)
    logs = [path.read_text() for path in (tmp_path / "sweep").glob("*/log.txt")]
    assert len(logs) == 2
    program = "import gan; print(gan.__file__)"
    assert start("-c", program, **where).startswith(str(installed))


def test_own_packages_may_lie_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    dispatch(["--version"])
    assert str(tmp_path) not in sys.path
    dispatch(["--version", "allow_targets=[mine]"])
    assert sys.path[-1] == str(tmp_path)
