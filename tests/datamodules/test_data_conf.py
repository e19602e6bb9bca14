import importlib
from inspect import isabstract, isclass
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import datamodules.base
from datamodules.base import ImageDataModule

CONF = Path(__file__).parents[2] / "conf" / "data"
FILES = sorted(path for path in CONF.glob("*.yaml") if not path.name.startswith("_"))


def found(target: str) -> Any:
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def read(path: Path) -> dict[str, Any]:
    plain = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_yaml_contains_only_properties_of_its_data(path: Path) -> None:
    own = read(path)
    if "data" in own:  # a file that also leaves out the task of a model
        defaults = own["defaults"]
        assert "override /task" in defaults[-2]
        own = own["data"] | {"defaults": ["_base", defaults[-1]]}
        assert defaults[0] == "/data/_base@data"
    assert own.pop("defaults") == ["_base", "_self_"]
    assert {"channels", "resolution", "num_classes"} <= own.keys()
    merged = read(CONF / "_base.yaml") | own
    for key in ("batch_size", "steps", "n_critic", "seed"):
        assert merged[key] == f"${{{key}}}"
    assert issubclass(found(own["_target_"]), ImageDataModule)
    assert found(own["_target_"]).name == path.stem


def test_every_data_set_has_a_yaml() -> None:
    folder = Path(datamodules.base.__file__).parent
    modules = [importlib.import_module(f"datamodules.{path.stem}") for path in folder.glob("*.py")]
    classes = {value for module in modules for value in vars(module).values() if isclass(value)}
    sets = {c.name for c in classes if issubclass(c, ImageDataModule) and not isabstract(c)}
    assert sets == {path.stem for path in FILES}
