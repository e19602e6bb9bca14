"""Packages whose ``__init__`` runs when it is needed."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from gan.deferral import DeferredPackage, _forget_submodules, defer
from tests.configs import ROOT

PARTS = {"Light": ("ownpackage.light",)}
INIT = "from ownpackage.light import Light\nfrom ownpackage.heavy import Heavy\n"
TRAINING = """
import sys
from gan.deferral import DeferredPackage, defer_torchmetrics
defer_torchmetrics()
import gan.runs.training, gan.metrics.evaluation
assert type(sys.modules["torchmetrics"]) is DeferredPackage
print(*{"scipy", "torchvision", "wandb", "torch_fidelity", "sklearn"} & set(sys.modules))
import torchmetrics
from torchmetrics.image.fid import FrechetInceptionDistance
assert torchmetrics.Accuracy and type(torchmetrics) is not DeferredPackage
assert issubclass(FrechetInceptionDistance, torchmetrics.Metric)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a deferred package with a light and a heavy module."""
    folder = tmp_path / "ownpackage"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    (folder / "__init__.py").write_text(INIT)
    (folder / "light.py").write_text("class Light: ...\n")
    (folder / "heavy.py").write_text("class Heavy: ...\n")
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "ownpackage"]:
        del sys.modules[name]


def deferred() -> ModuleType:
    defer("ownpackage", PARTS)
    return import_module("ownpackage")


def test_a_part_does_without_the_rest(package: Path) -> None:
    module = deferred()
    light = module.Light
    assert "ownpackage.heavy" not in sys.modules
    assert not hasattr(module, "__wrapped__")
    assert type(module) is DeferredPackage
    assert module.Heavy.__module__ == "ownpackage.heavy"
    assert type(module) is ModuleType
    assert module.Light is light


def test_double_underscores_that_are_parts_do_not_run_the_package(package: Path) -> None:
    (package / "about.py").write_text("__version__ = '3.1'\n")
    (package / "__init__.py").write_text("__all__ = ['Light']\n" + INIT)
    parts = {**PARTS, "__version__": ("ownpackage.light", "ownpackage.about")}
    defer("ownpackage", parts, _logger="notes")
    module = import_module("ownpackage")
    assert (module.__version__, module._logger) == ("3.1", "notes")
    assert "ownpackage.light" in sys.modules  # in the order of the parts
    assert type(module) is DeferredPackage
    assert module.__all__ == ["Light"]
    assert type(module) is ModuleType


def test_a_package_that_is_not_installed_is_not_deferred() -> None:
    defer("ownpackage_that_is_absent", PARTS)
    assert "ownpackage_that_is_absent" not in sys.modules


def test_submodules_alone_are_forgotten(package: Path) -> None:
    sys.modules["ownpackage_other"] = other = ModuleType("ownpackage_other")
    try:
        deferred().Light  # noqa: B018
        _forget_submodules(sys.modules["ownpackage"])
        assert sys.modules["ownpackage_other"] is other
        assert "ownpackage.light" not in sys.modules
        assert "ownpackage" in sys.modules
    finally:
        del sys.modules["ownpackage_other"]


def test_names_that_do_not_exist(package: Path) -> None:
    module = deferred()
    with pytest.raises(AttributeError):
        module.Nothing  # noqa: B018
    assert type(module) is ModuleType


def test_a_part_that_needs_the_package_first(package: Path) -> None:
    (package / "__init__.py").write_text("START = 1\n" + INIT)
    (package / "light.py").write_text("from ownpackage import START\nclass Light: ...\n")
    assert deferred().Light.__module__ == "ownpackage.light"


def test_what_was_imported_before_stays(package: Path) -> None:
    before = import_module("ownpackage")
    assert deferred() is before
    assert type(before) is ModuleType


def test_training_imports_what_it_uses() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRAINING], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
