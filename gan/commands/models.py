"""The models of ``conf/model`` and what each composes with."""

import os
import re
import sys
from dataclasses import dataclass

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torch import nn
from tqdm import tqdm

from gan.algorithms.two_player import TwoPlayerGame
from gan.errors import InputError
from gan.settings import resolvers, schema
from gan.settings.errors import explain
from gan.settings.groups import CONF, options, remark
from gan.settings.trust import build
from gan.settings.validation import nearest

_TRIED = ("loss", "conditioning", "augment", "regularizers")  # groups
_CHOOSE_MANY = ("regularizers",)
_TITLE = re.compile(r".*?[.:](?= |$)(?![^(]*\))")  # up to a stop outside brackets
_NUMBERS = ("n_critic", "steps", "G", "D")
_HEADS = ("model", "paper", "game", "loss", "conditioning", "regularizers", *_NUMBERS)
_ROOM = 140  # characters a line that the table needs
_PAGE = 160  # characters a line where the output is no terminal


@dataclass
class ModelsOptions:
    """What ``python -m gan models`` reads.

    Attributes:
        model: to be shown in detail; by default a table of all.
        data: the data set whose channels, resolution and classes the models get; it is not read.
    """

    model: str | None = None
    data: str = "cifar10"


class Recipe:
    """A model's config with a data set, as ``train.py`` composes it.

    Args:
        model: of ``conf/model``.
        data: of ``conf/data``.
        overrides: of the command line.

    Raises:
        Exception: what Hydra raises where they do not compose; see :func:`explain`.
    """

    def __init__(self, model: str, data: str, *overrides: str) -> None:
        resolvers.register()
        schema.register()
        given = [f"model={model}", f"data={data}", *overrides]
        with initialize_config_dir(str(CONF), version_base="1.3"):
            self.config: DictConfig = compose("train", given, return_hydra_config=True)

    def choice(self, group: str) -> str:
        """Return what is chosen of a group, the members of a choose-many one with commas."""
        if group in _CHOOSE_MANY:
            return ", ".join(map(str, self.config[group])) or "none"
        return str(self.config.hydra.runtime.choices[group])

    def game(self) -> TwoPlayerGame:
        """Return the game, untrained.

        Raises:
            Exception: what a constructor raises that refuses; see :func:`explain`.
        """
        game: TwoPlayerGame = build(self.config.model)
        return game


def _reason(error: Exception) -> str:
    """Return why something does not compose, as one line.

    Raises:
        Exception: ``error`` itself, if it is a fault of the program.
    """
    line = explain(error)
    if line is None:
        raise error
    return line


def _size(network: nn.Module) -> str:
    """Return how many weights are learnt, in millions."""
    return f"{sum(weight.numel() for weight in network.parameters()) / 1e6:.3g} M"


def _title(model: str) -> str:
    """Return the beginning of a model's remark: its name and paper."""
    text = remark("model", model)
    found = _TITLE.match(text)
    return found[0].rstrip(".:") if found else text


def _row(model: str, data: str) -> tuple[list[str], str | None]:
    """Return a model's row of the table, and why it cannot be built, if it cannot."""
    row = [model, _title(model)]
    try:
        recipe = Recipe(model, data)
        config = recipe.config
        row.append(str(config.model._target_).rpartition(".")[2])
        row += [recipe.choice(group) for group in ("loss", "conditioning", "regularizers")]
        row += [str(config.n_critic), f"{config.steps:,}"]
        game = recipe.game()
    except Exception as error:  # whatever else is no refusal is raised again
        return row, _reason(error)
    return [*row, _size(game.generator), _size(game.discriminator)], None


def _console() -> Console:
    """Return a console as wide as the terminal or COLUMNS say, or as a page."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if known else _PAGE)


def _line(row: list[str]) -> str:
    """Return a row, but for model and paper, as one line."""
    return "; ".join(f"{head} {cell}" for head, cell in zip(_HEADS[2:], row[2:], strict=False))


def _print(console: Console, rows: list[list[str]]) -> None:
    """Print rows as a table, or one below the other where there is no room for it."""
    if console.width < _ROOM:
        for row in rows:
            console.print(f"{row[0]}: {row[1]}\n  {_line(row)}", markup=False, highlight=False)
        return
    table = Table()
    for head in _HEADS:
        table.add_column(head, justify="right" if head in _NUMBERS else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _show_all(data: str) -> None:
    """Print the table of all models."""
    found = [
        _row(name, data) for name in tqdm(options("model"), "models", leave=False, disable=None)
    ]
    console = _console()
    _print(console, [row for row, _ in found])
    for (name, *_), reason in found:
        if reason is not None:
            console.print(f"{name}: {reason}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"weights with data={data}; python -m gan models model=NAME says what composes")


def _verdict(model: str, data: str, group: str, option: str) -> str:
    """Return whether a model takes an option, or the reason why not."""
    try:
        game = Recipe(model, data, f"{group}={option}").game()
    except Exception as error:  # whatever else is no refusal is raised again
        return _reason(error)
    blind = group == "conditioning" and not getattr(game.generator, "num_classes", 0)
    return "yes, runs unconditionally" if blind else "yes"


def _show(model: str, data: str) -> None:
    """Print what a model is and what it composes with."""
    recipe = Recipe(model, data)
    tried = [(group, option) for group in _TRIED for option in options(group)]
    table = Table("group", "option", "composes")
    before = ""
    for group, option in tqdm(tried, model, leave=False, disable=None):
        own = " (its own)" if option in recipe.choice(group).split(", ") else ""
        verdict = _verdict(model, data, group, option)
        table.add_row(group if group != before else "", option + own, escape(verdict))
        before = group
    console = _console()
    console.print(f"{model}: {remark('model', model)}", markup=False, highlight=False)
    row, reason = _row(model, data)
    console.print(_line(row), markup=False, highlight=False)
    console.print(table)
    if reason is not None:
        console.print(f"on data={data}: {reason}", markup=False, highlight=False)


def models(given: ModelsOptions) -> None:
    """Print every model, or what one of them composes with.

    Raises:
        InputError: if there is no such model or data set.
    """
    for group, option in (("model", given.model), ("data", given.data)):
        known = options(group)
        if option is not None and option not in known:
            raise InputError(f"{group}={option}: {nearest(option, known)}")
    if given.model is None:
        _show_all(given.data)
    else:
        _show(given.model, given.data)
