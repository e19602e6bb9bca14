import importlib
from inspect import isabstract, isclass
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import datamodules.base
from datamodules.base import ImageDataModule
from gan.settings.composing import compose
from gan.settings.overrides import hydra_form

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


MIRRORED = {"celeba", "cifar10", "cifar100", "imagenet", "lsun", "stl10"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recipe_mirrors_photographs_only(path: Path) -> None:
    """Digits, letters, shoes that point to the left and unknown images are left as they are."""
    assert (read(path).get("flip") == "${mirror}") == (path.stem in MIRRORED)


@pytest.mark.parametrize(
    ("given", "flip"),
    [
        ("model=reacgan data=cifar10", True),
        ("experiment=r3gan_cifar10", True),
        ("model=reacgan data=cifar10 data.flip=false", False),
        ("model=reacgan data=cifar10 mirror=false", False),
        ("model=reacgan data=svhn", False),
        ("model=reacgan data=mnist data.flip=true", True),
        ("experiment=stylegan2_cifar10", False),
        ("experiment=stylegan2_cifar10 data.flip=true", True),
        ("model=dcgan data=celeba", False),
    ],
)
def test_a_recipe_asks_for_mirrored_images_and_what_is_typed_wins(given: str, flip: bool) -> None:
    assert compose([hydra_form(part) for part in given.split()]).data.get("flip", False) is flip
