"""The models of ``conf/model`` and the options that they can be combined with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from gan.errors import InputError
from gan.settings.composing import compose
from gan.settings.errors import explain
from gan.settings.groups import description, options, title
from gan.settings.names import nearest
from gan.settings.trust import build
from gan.tables import console_for, show

if TYPE_CHECKING:
    from torch import nn

    from gan.algorithms.two_player import TwoPlayerGame

_TRIED = ("loss", "conditioning", "augment", "regularizers")  # groups
_CHOOSE_MANY = ("regularizers",)
_COUNTS = ("n_critic", "steps")
_SIZES = ("G", "D")
_HEADS = ("model", "paper", "game", "loss", "conditioning", "regularizers", *_COUNTS, *_SIZES)


@dataclass
class ModelsOptions:
    """Settings of ``ganymede models``.

    Attributes:
        model: to show in detail; by default a table of all models.
        data: data set whose channels, resolution and classes the models get; it is not read.
        parameters: also build each model of the table and show the sizes of its networks.
    """

    model: str | None = None
    data: str = "cifar10"
    parameters: bool = False


class ModelConfig:
    """The config of a model with a data set, as training composes it.

    Args:
        model: of ``conf/model``.
        data: of ``conf/data``.
        overrides: of the command line.

    Raises:
        Exception: what Hydra raises where they do not compose; see :func:`explain`.
    """

    def __init__(self, model: str, data: str, *overrides: str) -> None:
        given = [f"model={model}", f"data={data}", *overrides]
        self.config = compose(given, with_hydra=True)

    def chosen(self, group: str) -> list[str]:
        """Return the chosen options of a group, which a choose-many group has any number of."""
        if group in _CHOOSE_MANY:
            return [str(name) for name in self.config[group]]
        return [str(self.config.hydra.runtime.choices[group])]

    def override(self, group: str, option: str) -> str:
        """Return the override that chooses an option; it joins those of a choose-many group."""
        if group not in _CHOOSE_MANY:
            return f"{group}={option}"
        return f"{group}=[{','.join(dict.fromkeys([*self.chosen(group), option]))}]"

    def game(self) -> "TwoPlayerGame":
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


def _size(network: "nn.Module") -> str:
    """Return the number of a network's parameters, in millions."""
    return f"{sum(weight.numel() for weight in network.parameters()) / 1e6:.3g} M"


def _row(model: str, data: str, parameters: bool) -> tuple[list[str], str | None]:
    """Return a model's row of the table, and why it cannot be built, if it cannot."""
    row = [model, title("model", model)]
    try:
        composed = ModelConfig(model, data)
        config = composed.config
        row.append(str(config.model._target_).rpartition(".")[2])
        for group in ("loss", "conditioning", "regularizers"):
            row.append(", ".join(composed.chosen(group)) or "none")
        row += [str(config.n_critic), f"{config.steps:,}"]
        if parameters:
            game = composed.game()
            row += [
                _size(part) if part is not None else "0"
                for part in (game.generator, game.discriminator)
            ]
    except Exception as error:  # whatever else is no refusal is raised again
        return row, _reason(error)
    return row, None


def _line(row: list[str]) -> str:
    """Return a row, but for model and paper, as one line."""
    return "; ".join(f"{head} {cell}" for head, cell in zip(_HEADS[2:], row[2:], strict=False))


def _print(rows: list[list[str]]) -> None:
    """Print rows as a table."""
    table = Table()
    for head in _HEADS[: max(map(len, rows))]:
        table.add_column(head, justify="right" if head in (*_COUNTS, *_SIZES) else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    show(table)


def _show_all(data: str, parameters: bool) -> None:
    """Print the table of all models."""
    names = tqdm(options("model"), "models", leave=False, disable=None)
    rows = [_row(name, data, parameters) for name in names]
    _print([row for row, _ in rows])
    for (name, *_), reason in rows:
        if reason is not None:
            print(f"{name}: {reason}")
    sizes = f"sizes of networks with data={data}" if parameters else "parameters=true adds sizes"
    print(f"{sizes}; ganymede models model=NAME shows what a model composes with")


def _composes(model: str, data: str, override: str) -> str:
    """Return whether a model can be combined with an option, or why not."""
    try:
        game = ModelConfig(model, data, override).game()
    except Exception as error:  # whatever else is no refusal is raised again
        return _reason(error)
    unused = override.startswith("conditioning=") and not getattr(game.generator, "num_classes", 0)
    return "yes, runs unconditionally" if unused else "yes"


def _show(model: str, data: str) -> None:
    """Print a model and the options that it can be combined with."""
    composed = ModelConfig(model, data)
    tried = [(group, option) for group in _TRIED for option in options(group)]
    table = Table("group", "option", "composes")
    before = ""
    for group, option in tqdm(tried, model, leave=False, disable=None):
        own = " (its own)" if option in composed.chosen(group) else ""
        answer = escape(_composes(model, data, composed.override(group, option)))
        table.add_row(group if group != before else "", option + own, answer)
        before = group
    print(f"{model}: {description('model', model)}")
    row, reason = _row(model, data, parameters=True)
    print(_line(row))
    console_for(table).print(table)
    if reason is not None:
        print(f"on data={data}: {reason}")


def models(given: ModelsOptions) -> None:
    """Print the models, or one model and the options that it can be combined with."""
    for group, option in (("model", given.model), ("data", given.data)):
        known = options(group)
        if option is not None and option not in known:
            raise InputError(f"{group}={option}: {nearest(option, known)}")
    if given.model is None:
        _show_all(given.data, given.parameters)
    else:
        _show(given.model, given.data)
