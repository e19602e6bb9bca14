"""Help pages: the commands, the settings of a command, the settings of training."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, fields
from typing import Any, Literal, get_args, get_origin

from omegaconf import MISSING
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gan.commands.keys import KEY
from gan.settings.groups import defaults, options
from gan.settings.knobs import described, dotted_knobs, knobs


def _table(*heads: str) -> Table:
    """Return an empty table without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def show_commands(groups: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Print all commands.

    Args:
        groups: title of each group, and its commands with their summaries.
    """
    console = Console(highlight=False)
    console.print("ganymede COMMAND key=value ...\n")
    width = max(len(name) for rows in groups.values() for name, _ in rows)
    for title, rows in groups.items():
        table = Table(box=None, pad_edge=False, show_header=False, title=title)
        table.title_justify, table.title_style = "left", "bold"
        table.add_column(width=width)
        table.add_column()
        for name, summary in rows:
            table.add_row(name, escape(summary))
        console.print(table, "")
    console.print(
        "ganymede COMMAND --help shows the settings of a command, ganymede --version the version.\n"
        "--debug shows the traceback of an error.",
        markup=False,
    )


def show_options(name: str, function: Callable[..., None], kind: type) -> None:
    """Print the settings of a command with type, default and meaning.

    Args:
        name: of the command.
        function: of the command.
        kind: dataclass of its settings.
    """
    console, table = Console(highlight=False), _table("setting", "type", "default", "meaning")
    meanings = attributes(kind)
    for field in fields(kind):
        cells = (
            field.metadata.get(KEY, field.name),
            _type_name(field.type),
            _default(field),
            meanings[field.name],
        )
        table.add_row(*map(escape, cells))
    console.print(f"ganymede {name} key=value ...\n\n{inspect.getdoc(function)}\n", markup=False)
    console.print(table)


def _type_name(kind: Any) -> str:
    """Return a type as it is written in an annotation, or the values of a choice."""
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    return kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)


def _default(field: "Field[Any]") -> str:
    """Return the default of a setting as it is written on the command line."""
    value = field.default
    if field.default_factory is not NO_DEFAULT:
        value = field.default_factory()
    if value == MISSING:
        return "required"
    text = str(value).replace("'", "").replace(", ", ",")
    return {"None": "null", "True": "true", "False": "false"}.get(text, text)


def attributes(kind: type) -> dict[str, str]:
    """Return the description of each attribute in the docstring of a class, in one line each."""
    return described(kind.__doc__ or "", "Attributes")


def show_training() -> None:
    """Print the settings of training, and the groups of ``conf/``."""
    console, settings = Console(highlight=False), _table("setting", "type", "default", "meaning")
    for knob in (*knobs(), *dotted_knobs()):
        kind = "mapping" if knob.type is Any else _type_name(knob.type)
        settings.add_row(*map(escape, (knob.name, kind, knob.default, knob.comment)))
    groups = _table("group", "default", "options")
    for group, chosen in defaults().items():
        groups.add_row(*map(escape, (group, chosen, ", ".join(options(group)))))
    console.print("ganymede train key=value group=option ...\n", markup=False)
    console.print(settings, "", groups, "")
    for line in _more():
        console.print(line, markup=False)


def _more() -> Iterator[str]:
    """Yield how to see more."""
    yield "A dotted key sets an argument of what was chosen: optimizer.generator.lr=1e-4"
    yield "Several values and -m start a sweep: ganymede train -m loss=hinge,wgan seed=0,1,2"
    yield "ganymede models [model=NAME]  the models, and what one of them can be combined with"
    yield "ganymede train ... --cfg job  the whole config of a command, which is not run"
    yield "ganymede train --hydra-help   flags of Hydra, such as --config-dir and --info"
