"""The commands, and the way from the command line to one of them."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword
from types import ModuleType
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from gan import __version__
from gan.commands import help as pages
from gan.commands.exits import exit_on_preemption, report_errors
from gan.commands.keys import keys
from gan.deferral import defer_torchmetrics
from gan.errors import InputError
from gan.settings import renamed
from gan.settings.names import nearest
from gan.settings.signatures import find, signature
from gan.settings.validation import check_keys

TRAIN = "train"
# Each command is a module of this package that imports no PyTorch before its settings are checked.
GROUPS = {
    "Train": (TRAIN,),
    "Look at a run": ("sample", "interpolate", "traverse", "project", "film", "demo"),
    "Beside real images": ("nearest", "embed", "spectrum"),
    "Real images and latents": ("encode", "reconstruct"),
    "Turn pictures into others": ("translate", "restore"),
    "Tell classes apart": ("classify",),
    "Styles of StyleGAN": ("mix", "truncate", "directions"),
    "Measure and compare": ("evaluate", "report", "leaderboard", "dashboard"),
    "Hand on": ("export", "import"),
    "Lists": ("models",),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)


@dataclass(frozen=True)
class Command:
    """A command with settings of the form ``key=value``.

    Attributes:
        name: on the command line.
        options: dataclass of its settings.
        function: that takes the settings.
    """

    name: str
    options: type
    function: Callable[[Any], None]

    @classmethod
    def load(cls, name: str) -> "Command":
        """Return the command of the module ``gan.commands.NAME``."""
        module, function = _find(name)
        return cls(name, getattr(module, f"{name.capitalize()}Options"), function)

    def run(self, pairs: list[str]) -> None:
        """Run the command on ``key=value`` pairs.

        Raises:
            InputError: on an unknown, missing or mistyped setting.
        """
        schema = OmegaConf.structured(self.options)
        known = keys(self.options)
        renamed.refuse(pairs, known)
        for pair in pairs:
            key, equals, _ = pair.partition("=")
            if key not in known:
                raise InputError(f"{self.name}: {pair}: no such setting; {nearest(key, known)}")
            if not equals:
                raise InputError(f"{self.name}: {pair}: give a value, {pair}=...")
        values = self._read([(known[k], text) for k, _, text in (p.partition("=") for p in pairs)])
        check_keys(
            "", values, signature(find(f"{self.options.__module__}.{self.options.__name__}"))
        )
        options = OmegaConf.merge(schema, values)
        for key in sorted(OmegaConf.missing_keys(options)):
            raise InputError(f"{self.name}: {key} is not set: add {key}=... to the command")
        self.function(OmegaConf.to_object(options))

    def _read(self, given: list[tuple[str, str]]) -> DictConfig:
        """Return the values of settings: those of text as they stand, others as YAML."""
        kinds = get_type_hints(self.options)
        plain = {key: text for key, text in given if text and kinds[key] in (str, str | None)}
        values = OmegaConf.from_dotlist([f"{k}={text}" for k, text in given if k not in plain])
        for key, text in plain.items():
            OmegaConf.update(values, key, _unquoted(text))
        return values


def _unquoted(text: str) -> str | None:
    """Return a text setting as it stands, without quotes around it; ``null`` is ``None``."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return None if text == "null" else text[1:-1] if quoted else text


def _find_own_packages(given: list[str]) -> None:
    """Let packages that ``allow_targets`` names lie in the working directory, in any command."""
    here = os.getcwd()
    if here not in sys.path and any(pair.startswith("allow_targets=") for pair in given):
        sys.path.append(here)


def dispatch(arguments: list[str]) -> None:
    """Run the command that the first argument names on the arguments that follow.

    Raises:
        InputError: on an unknown command, or bad settings.
    """
    name, *given = arguments or ["--help"]
    _find_own_packages(given)
    if name in ("--help", "-h", "help"):
        pages.show_commands({title: [*map(_summary, names)] for title, names in GROUPS.items()})
    elif name == "--version":
        print(f"ganymede {__version__}")
    elif name not in COMMANDS:
        raise InputError(f"no command '{name}'; {nearest(name, COMMANDS)}")
    elif name == TRAIN:
        _train(given)
    elif {"--help", "-h"} & set(given):
        command = Command.load(name)
        pages.show_options(name, command.function, command.options)
    else:
        Command.load(name).run(given)


def _find(name: str) -> tuple[ModuleType, Callable[[Any], None]]:
    """Return the module of a command and its function; "_" follows a keyword of Python."""
    identifier = f"{name}_" if iskeyword(name) else name
    module = import_module(f"gan.commands.{identifier}")
    return module, getattr(module, identifier)


def _summary(name: str) -> tuple[str, str]:
    """Return a command with its summary, the first line of its docstring."""
    _, function = _find(name)
    return name, (function.__doc__ or "").splitlines()[0]


def _train(given: list[str]) -> None:
    """Run training on its arguments, which Hydra reads."""
    if {"--help", "-h"} & set(given):
        pages.show_training()
        return
    with exit_on_preemption():
        from gan.commands import train

        train.main(given)


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the command line names, and exit with status 2 on bad input.

    Args:
        arguments: name of the command and its settings; those of the process by default.
    """
    # Idle threads sleep, so that runs side by side on one machine do not slow down each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    defer_torchmetrics()
    given = sys.argv[1:] if arguments is None else arguments
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--debug"]
    report_errors(lambda: dispatch([argument for argument in given if argument != "--debug"]))
