"""The tables of docs/recipes.md: every recipe as it is composed, beside what its source publishes.

    python -m benchmarks.recipes

writes the file anew. ``docs/published.yaml`` holds the published values in the same words, with the
reason where a recipe differs. ``tests/test_recipes.py`` compares file, recipes and values.
"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from benchmarks.initialisation import initialisation
from gan.settings.composing import compose
from gan.settings.groups import options
from gan.settings.overrides import hydra_form
from gan.settings.trust import build

DOCS = Path(__file__).parents[1] / "docs"
TABLE, PUBLISHED = DOCS / "recipes.md", DOCS / "published.yaml"
COMPARED = (
    *("optimizer", "schedule", "batch", "n_critic", "steps", "loss", "penalties"),
    *("averaging", "mirrored", "augmentation", "initialisation"),
)
OTHERS = ("game", "latents", "labels", "data")
PLAYERS = ("generator", "discriminator", "encoder")
SIZES = ("paper", "small", "tiny")
# What follows from the data or from other columns.
_WIRING = {
    *("channels", "resolution", "num_classes", "classes", "seed", "fused", "cache", "task"),
    *("conditioning", "latent_dim", "accumulate"),
}
_APART = {
    "optimizer",
    "schedule",
    "loss",
    "regularizers",
    "averaging",
    "augment",
    "prior",
    "n_critic",
}
TEXT = """# Recipes

What each recipe trains with, as it is composed; written by `python -m benchmarks.recipes`.
Published values stand in [published.yaml](published.yaml). A test compares both with the settings:
what differs from its source has its reason in the last column. Schedules, half-lives and starts of
averages count images, in millions where there is an M. Arguments that are off are left out.

{}

## Game, latents, labels

{}

## Networks, latents, average, labels, game, penalties, optimizer and length by size

{}
"""
Recipe = Mapping[str, Any]


def published() -> dict[str, Recipe]:
    """Return what each source publishes, by recipe: of a model, or of an experiment."""
    content: dict[str, Recipe] = yaml.safe_load(PUBLISHED.read_text())
    return {name: recipe for name, recipe in content.items() if not name.startswith("_")}


def known() -> list[str]:
    """Return the names of all recipes: models, experiments, then losses that bring a recipe."""
    named = [*options("model"), *options("experiment")]
    return [*named, *(name for name in published() if name not in named)]


@cache
def _composed(name: str) -> DictConfig:
    """Return the config of a recipe, on the data of its source."""
    if name in options("experiment"):
        given = [f"experiment={name}"]
    else:
        given = [f"model={name}"] if name in options("model") else [name, "model=dcgan"]
        given += str(published()[name].get("on", "data=cifar10")).split()
    return compose(["run_dir=run", *map(hydra_form, given)])


def config_of(name: str, size: str = "paper") -> DictConfig:
    """Return the config of a recipe at a size."""
    config = _composed(name).copy()
    config.size = size
    return config


def settings(name: str, size: str = "paper") -> dict[str, Any]:
    """Return the plain settings of a recipe at a size."""
    content: Any = OmegaConf.to_container(config_of(name, size), resolve=True)
    return {str(key): value for key, value in content.items()}


def words(value: Any) -> str:
    """Return a plain value, or what a node builds, in one line."""
    if isinstance(value, dict):
        return _object(value) if "_target_" in value else _mapping(value)
    if isinstance(value, list | tuple):
        return f"({', '.join(map(words, value))})"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value / 1e6:.4g} M" if abs(value) >= 1e6 else f"{value:.8g}"


def _object(node: dict[str, Any]) -> str:
    """Return the class of a node with its arguments; those that are off or wired are left out."""
    kind = get_object(str(node["_target_"]))
    given = {key: value for key, value in node.items() if not key.startswith("_")}
    arguments = (_defaults(kind) if kind.__module__.startswith("gan.") else {}) | given
    shown = [
        f"{key}={words(value)}"
        for key, value in arguments.items()
        if key not in _WIRING and _is_on(value)
    ]
    return f"{kind.__name__}({', '.join(shown)})" if shown else kind.__name__


def _is_on(value: Any) -> bool:
    """Return whether an argument switches something on: not 0, false or empty, for all players."""
    if isinstance(value, dict):
        return any(map(_is_on, value.values()))
    return value not in (None, "") and value != 0


def _defaults(kind: Any) -> dict[str, Any]:
    """Return the default arguments of a class but for words, which name forms of one function."""
    plain = (int, float, bool, list, tuple)
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if isinstance(p.default, plain)}


def _mapping(node: dict[str, Any]) -> str:
    """Return what the keys of a node hold; what all players share is written once."""
    shown = {key: words(value) for key, value in node.items() if value is not None}
    if len(set(shown.values())) == 1 and len(shown) > 1 and shown.keys() <= set(PLAYERS):
        return next(iter(shown.values()))
    return "; ".join(f"{key} {text}" for key, text in shown.items()) or "none"


@cache
def cells(name: str) -> dict[str, str]:
    """Return the columns of a recipe by name, of the networks of the paper."""
    content = settings(name)
    model = content["model"]
    return {
        "optimizer": _mapping(_of_players(model, "optimizer")),
        "schedule": _mapping(_of_players(model, "schedule")),
        "batch": words(content["batch_size"]),
        "n_critic": words(content["n_critic"]),
        "steps": f"{content['steps']:,}",
        "loss": words(model["loss"]),
        "penalties": "; ".join(_penalties(model)) or "none",
        "averaging": words(model["averaging"]),
        "mirrored": "yes" if content["data"].get("flip") else "no",
        "initialisation": _mapping(_starts(name)),
        "game": _game(model),
        "latents": words(model.get("prior", {})),
        "labels": words(content["conditioning"]),
        "data": "{_target_} of {resolution} pixels".format(**content["data"]).rpartition(".")[2],
        "augmentation": words(model["augment"]).replace("Augmentation", "none"),
    }


def _game(model: dict[str, Any]) -> str:
    """Return the game with what no other column holds."""
    return words({key: node for key, node in model.items() if key not in {*_APART, *PLAYERS}})


def _of_players(model: dict[str, Any], key: str) -> dict[str, Any]:
    """Return what a node of the players holds for those that there are."""
    return {player: value for player, value in model[key].items() if player in model}


def _penalties(model: dict[str, Any]) -> list[str]:
    """Return the regularizers that have an effect."""
    return [words(node) for node in model["regularizers"].values() if node.get("weight") != 0]


def _starts(name: str) -> dict[str, str]:
    """Return how the weights of each network start, measured on those of ``size=tiny``."""
    model = config_of(name, "tiny").model
    torch.manual_seed(0)
    return {key: initialisation(build(model[key])) for key in PLAYERS if key in model}


def sizes(name: str) -> dict[str, str]:
    """Return what a recipe has at each size."""
    return {size: _sized(settings(name, size)) for size in SIZES}


def _sized(content: dict[str, Any]) -> str:
    """Return the parts of plain settings that depend on the size, in words."""
    model = content["model"]
    parts = [model.get(key) for key in (*PLAYERS, "prior", "averaging")]
    length = f"{content['steps']:,} steps of {content['batch_size']}"
    parts += [content["conditioning"]] if "num_classes" in content["conditioning"] else []
    found = [*(words(part) for part in parts if part), _game(model), *_penalties(model)]
    return "; ".join([*found, _mapping(_of_players(model, "optimizer")), length])


def differs(name: str) -> str:
    """Return in which columns a recipe differs from its source, and why."""
    found = published().get(name, {}).get("differs", {})
    return "; ".join(f"{column}: {reason}" for column, reason in found.items())


def rows(name: str) -> list[str]:
    """Return the lines of a recipe in the three tables."""
    found, source = cells(name), published().get(name, {}).get("source", "this project")
    first = [name, *(found[key] for key in COMPARED), source, differs(name)]
    second = [name, *(found[key] for key in OTHERS)]
    return [_line(first), _line(second), _line([name, *sizes(name).values()])]


def _line(texts: Iterable[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(text.replace('|', '/') for text in texts)} |"


def _table(heads: Sequence[str], lines: Iterable[str]) -> str:
    """Return a table."""
    return "\n".join([_line(heads), _line(["---"] * len(heads)), *lines])


def document() -> str:
    """Return the content of ``docs/recipes.md``."""
    first, second, third = zip(*map(rows, known()), strict=True)
    return TEXT.format(
        _table(["recipe", *COMPARED, "source", "differs from the source in"], first),
        _table(["recipe", *OTHERS], second),
        _table(["recipe", *SIZES], third),
    )


if __name__ == "__main__":
    TABLE.write_text(document())
