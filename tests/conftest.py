"""What several tests stand on."""

import gc
import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import gan
from gan.settings import resolvers, schema
from gan.settings.overrides import hydra_form
from tests.configs import ROOT

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
resolvers.register()
schema.register()
# No test reads or writes the caches of the user.
os.environ["GANYMEDE_CACHE"] = tempfile.mkdtemp(prefix="ganymede-cache-")

Compose = Callable[..., DictConfig]


def import_modules() -> None:
    """Import the modules that commands import later: none may keep what a test has replaced."""
    for module in pkgutil.walk_packages(gan.__path__, "gan."):
        if not module.name.startswith("gan.demo") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def pytest_collection_finish() -> None:
    """Exclude what was imported so far from garbage collection, which else takes a tenth."""
    import_modules()
    gc.collect()
    gc.freeze()


@contextmanager
def composing(folder: Path) -> Iterator[Compose]:
    """Give a function from overrides to a small, offline config with a run folder in ``folder``."""
    small = [f"run_dir={folder / 'run'}", f"cache_dir={folder / 'cache'}", "steps=2"]
    small += ["batch_size=8", "accelerator=cpu", "metrics=[]"]

    def composed(*overrides: str) -> DictConfig:
        given = {o.split("=")[0] for o in overrides}
        if "backbone" in given:
            given.add("metrics")
        kept = [o for o in small if o.split("=")[0] not in given]
        node = compose("train", [hydra_form(o) for o in (*kept, *overrides)])
        place = Path(node.run_dir) / ".hydra"
        place.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(node, place / "config.yaml")
        OmegaConf.save(OmegaConf.create([*kept, *overrides]), place / "overrides.yaml")
        return node

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield composed


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Let each test draw the same numbers, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Compose]:
    """Return a function from overrides to a small, offline config with a run folder of its own."""
    with composing(tmp_path) as composed:
        yield composed
