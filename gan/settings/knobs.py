"""The settings of training that ``train --help`` lists."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_type_hints

from omegaconf import OmegaConf

from gan.settings import signatures
from gan.settings.groups import CONF, options
from gan.settings.schema import TrainConfig

_LINE = re.compile(r"^(\w+): (?P<value>.+?)(?: # (?P<comment>.*))?$", flags=re.MULTILINE)
_NODE = re.compile(r"\$\{\w+(\.\w+)*\}")  # another setting, and what follows it
_INTERVAL = re.compile(r"\$\{interval:\$\{(\w+)\},(\d+),(\d+)\}")
_DATA = "datamodules.base.ImageDataModule"


@dataclass(frozen=True)
class Knob:
    """A setting.

    Attributes:
        name: of the setting.
        type: that the schema or the constructor gives.
        default: as a yaml writes it, or what it computes.
        comment: its meaning in one line.
    """

    name: str
    type: Any
    default: str
    comment: str


def knobs() -> list[Knob]:
    """Return the settings of one word in the order of ``conf/train.yaml``."""
    types = get_type_hints(TrainConfig)
    return [
        Knob(line[1], types[line[1]], line["value"], line["comment"] or "")
        for line in _LINE.finditer((CONF / "train.yaml").read_text())
        if not options(line[1]) and "_target_" not in line["value"]
    ]


def described(docstring: str, title: str) -> dict[str, str]:
    """Return the entries of a section of a docstring, such as "Args", in one line each."""
    rest = inspect.cleandoc(docstring).partition(f"{title}:\n")[2]
    section = re.split(r"\n(?=\S)", rest)[0]  # up to the next title
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, flags=re.MULTILINE)
    return {name: re.sub("`+", "", " ".join(text.split())) for name, text in found}


def dotted_knobs() -> list[Knob]:
    """Return the arguments of data, evaluation, doctor, stop and callbacks that may be set."""
    train = OmegaConf.load(CONF / "train.yaml")
    data = OmegaConf.load(CONF / "data" / "_base.yaml")
    nodes = {
        "data": data,
        "evaluation": train.evaluation,
        "doctor": train.doctor,
        "stop": train.stop,
    }
    for name in options("callbacks"):
        content = OmegaConf.load(CONF / "callbacks" / f"{name}.yaml")
        nodes[f"callbacks.{name}"] = OmegaConf.select(content, name)
    return [knob for path, node in nodes.items() for knob in _node_knobs(path, node)]


def _node_knobs(path: str, node: Any) -> Iterator[Knob]:
    """Yield the arguments of a node's class, but for those that come from another node."""
    given = dict(OmegaConf.to_container(node, resolve=False))  # type: ignore[arg-type]
    body = signatures.find(given.get("_target_", _DATA)).node
    meanings = described(ast.get_docstring(body) or "", "Args")
    for argument, default in _parameters(body):
        value = given.get(argument.arg, default)
        if value is not None and not _NODE.match(str(value)) and argument.arg in meanings:
            kind = ast.unparse(argument.annotation) if argument.annotation else "Any"
            meaning = meanings[argument.arg].removesuffix(".")
            default = _INTERVAL.sub(r"\1/\2, at least \3", str(value))
            yield Knob(f"{path}.{argument.arg}", kind, default, meaning)


def _parameters(node: signatures.Node) -> Iterator[tuple[ast.arg, str | None]]:
    """Yield the parameters of a class's constructor, each with its default, if it has one."""
    words = {"None": "null", "True": "true", "False": "false"}
    functions = (part for part in node.body if isinstance(part, ast.FunctionDef))
    given = next(function for function in functions if function.name == "__init__").args
    plain: list[ast.expr | None] = [None] * (len(given.args) - len(given.defaults))
    arguments = [*given.args, *given.kwonlyargs]
    for argument, default in zip(
        arguments, [*plain, *given.defaults, *given.kw_defaults], strict=True
    ):
        text = None if default is None else ast.unparse(default).strip("'")
        yield argument, None if text is None else words.get(text, text)
