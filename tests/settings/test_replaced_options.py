"""Another option of a group replaces all that a recipe says of it."""

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from gan.settings import composing
from gan.settings.schema import MANY
from tests.configs import ROOT, options, thinned

GROUPS = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
UNLISTED = {"callbacks", "experiment", "hydra", "logger", "metrics", "sweep"}
OF_ANY_PRIOR = "prior"  # its dim is that of the recipe's networks under any distribution


def recipes() -> list[str]:
    return [f"{kind}={name}" for kind in ("model", "experiment") for name in options(kind)]


@pytest.mark.parametrize("kind", ["model", "experiment"])
def test_recipes_choose_options_and_set_no_values_of_them(kind: str) -> None:
    alone = GROUPS - {*MANY} - {"model", "data", "experiment", OF_ANY_PRIOR}
    assert {"optimizer", "averaging", "schedule", "augment", "loss"} <= alone
    for path in sorted((ROOT / "conf" / kind).glob("*.yaml")):
        assert not alone & yaml.safe_load(path.read_bytes()).keys(), path


def optimizer(*arguments: str) -> DictConfig:
    node = composing.compose([*arguments, "run_dir=run", "data.resolution=32"]).optimizer
    assert isinstance(node, DictConfig)
    return node


@pytest.mark.parametrize("recipe", thinned(recipes(), keep=4))
def test_a_chosen_optimizer_is_the_one_of_its_file(recipe: str) -> None:
    chosen = OmegaConf.to_container(optimizer(recipe, "optimizer=sgd"), resolve=False)
    assert chosen == yaml.safe_load((ROOT / "conf/optimizer/sgd.yaml").read_bytes())


@pytest.mark.parametrize("group", sorted(GROUPS - UNLISTED))
def test_the_page_of_settings_names_each_option(group: str) -> None:
    lines = (ROOT / "docs/settings.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith(f"| `{group}` |"))
    assert [name for name in options(group) if f"`{name}`" not in row] == []
