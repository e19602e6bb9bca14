"""Which settings make a run another run, and what a group brings that is given at a resume."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from omegaconf import OmegaConf

import datamodules
from datamodules.base import ImageDataModule
from gan.runs.folder import Run
from gan.runs.resume import identity, resume
from gan.settings.commandline import CommandLine
from gan.settings.schema import NESTED, TrainConfig
from tests.conftest import Compose

# The length of the run, where it runs, where its files are, and what it reports.
FREE = {"steps", "resume", "name", "run_dir", "cache_dir", "accelerator", "trainer", "logger"}
FREE |= {"callbacks", "backbone", "metrics", "evaluation", "allow_targets", "doctor", "stop"}
FREE |= {"schedule"}  # of which the length is a part; the checkpoint compares the rest
# Of data: the length of the run, and how files are read, which changes no image.
FREE_DATA = {"steps", "root", "verify", "workers", "memory_limit", "cache", "changed"}


def arguments() -> set[str]:
    """Return the settings of all data sets."""
    names = [module.name for module in pkgutil.iter_modules(datamodules.__path__)]
    modules = [importlib.import_module(f"datamodules.{name}") for name in names]
    kinds = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    found = [kind for kind in kinds if issubclass(kind, ImageDataModule)]
    return {
        parameter.name
        for kind in found
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }


def free(settings: dict[str, Any], paths: Iterable[str]) -> set[str]:
    """Return the dotted paths at which another value makes no other run."""
    config = OmegaConf.create(settings)
    before, found = identity(config), set()
    for path in paths:
        value = OmegaConf.select(config, path)
        OmegaConf.update(config, path, "another")
        found |= {path} if identity(config) == before else set()
        OmegaConf.update(config, path, value)
    return found


def test_every_setting_of_a_data_set_is_kept_but_how_it_is_read() -> None:
    names = arguments()
    assert {"seed", "flip", "labelled", "validation", "swap"} | FREE_DATA <= names
    domains = {path.rpartition(".")[2] for path in NESTED}
    own = dict.fromkeys(names - domains, "one")
    before = {"data": {**own, **dict.fromkeys(domains, own)}, "model": {}}
    for place in ("data", *NESTED):
        found = free(before, (f"{place}.{name}" for name in own))
        assert found == {f"{place}.{name}" for name in FREE_DATA}


def test_every_setting_of_the_top_level_is_kept_but_length_place_and_reports() -> None:
    names = {field.name for field in fields(TrainConfig)}
    before = {**dict.fromkeys(names, "one"), "data": {"name": "one"}, "model": {"name": "one"}}
    paths = [f"{name}.name" if name in ("data", "model") else name for name in names]
    assert free(before, paths) == FREE


def test_groups_given_at_a_resume_set_what_they_set_at_a_start(config: Compose) -> None:
    given = ["backbone=inception", "accelerator=cpu_amp", "schedule=linear", "logger=tensorboard"]
    started: Any = OmegaConf.to_container(config("model=mlp", *given), resolve=True)
    folder = config("model=mlp").run_dir
    line = CommandLine([f"resume={folder}", f"cache_dir={started['cache_dir']}", *given])
    resumed: Any = OmegaConf.to_container(resume(Run(folder), line).config, resolve=True)
    for content in (resumed, started):  # which a resumed run keeps
        del content["evaluation"]["metrics"]
    for group in ("evaluation", *(override.split("=")[0] for override in given)):
        assert resumed[group] == started[group]
