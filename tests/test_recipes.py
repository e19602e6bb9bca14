"""Every recipe against docs/published.yaml and docs/recipes.md."""

import pytest

from benchmarks import recipes
from benchmarks.recipes import COMPARED, TABLE, cells, known, published, rows
from tests.configs import thinned

OWN = {"cifar10_dcgan_hinge", "digits", "grid", "mnist_dcgan", "mnist_mlp", "ring", "stacked_mnist"}


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


def test_the_tables_hold_nothing_else() -> None:
    names = [line.split(" | ")[0].strip("| ") for line in TABLE.read_text().splitlines()]
    counted = [name for name in names if name in known()]
    assert sorted(counted) == sorted(3 * known())
    assert recipes.TEXT.splitlines()[0] == "# Recipes"
