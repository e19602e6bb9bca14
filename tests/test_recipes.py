"""Every recipe against docs/published.yaml and docs/recipes.md."""

import pytest
import torch
import yaml

from benchmarks import recipes
from benchmarks.initialisation import initialisation
from benchmarks.recipes import COMPARED, PLAYERS, TABLE, cells, config_of, known, published, rows
from gan.settings.trust import build
from tests.configs import ROOT, options, thinned

OWN = {"cifar10_dcgan_hinge", "digits", "grid", "mnist_dcgan", "mnist_mlp", "ring", "stacked_mnist"}
OWN |= {"unrolled_cifar10"}


def test_every_recipe_has_a_source_or_is_our_own() -> None:
    assert not published().keys() & OWN
    assert published().keys() | OWN == set(known())


@pytest.mark.parametrize("name", sorted(published()))
def test_a_recipe_is_as_published_or_states_why_not(name: str) -> None:
    source, found = published()[name], cells(name)
    reasons = source.get("differs", {})
    assert reasons.keys() <= set(COMPARED)
    assert {c: found[c] for c in COMPARED if c not in reasons} == {
        c: source[c] for c in COMPARED if c not in reasons
    }
    for column, reason in reasons.items():
        assert found[column] != source[column], f"{column} is as published: leave out: {reason}"
        assert len(reason) > 5


@pytest.mark.parametrize("name", thinned(known(), keep=2))
def test_the_tables_are_those_of_the_recipes(name: str) -> None:
    """Any number of a recipe, at any size, is in docs/recipes.md."""
    lines = TABLE.read_text().splitlines()
    for row in rows(name):
        assert row in lines, "python -m benchmarks.recipes writes docs/recipes.md anew"


OTHERS = [
    (name, key)
    for name in options("model")
    for content in [yaml.safe_load((ROOT / f"conf/model/{name}.yaml").read_text())]
    for key, node in content.get("model", {}).items()
    if key not in PLAYERS and "gan.networks." in str(node)
]  # networks that are not in the table


def test_all_other_networks_start_in_the_form_of_dcgan() -> None:
    assert ("cut", "projector") in OTHERS
    for name, key in OTHERS:
        torch.manual_seed(0)
        assert initialisation(build(config_of(name, "tiny").model[key])) == "N(0, 0.02)", name


def test_the_tables_hold_nothing_else() -> None:
    names = [line.split(" | ")[0].strip("| ") for line in TABLE.read_text().splitlines()]
    counted = [name for name in names if name in known()]
    assert sorted(counted) == sorted(3 * known())
    assert recipes.TEXT.splitlines()[0] == "# Recipes"
