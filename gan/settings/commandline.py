"""The command line of a training run."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan.errors import InputError
from gan.settings import overrides, renamed
from gan.settings.composing import compose
from gan.settings.groups import options
from gan.settings.names import nearest
from gan.settings.unused import drop_unchosen

_SWITCHES = ("run", "hydra_help", "shell_completion")
_VALUED = ("cfg", "info", "package", "config_path", "config_name", "config_dir")


class CommandLine:
    """Flags of Hydra, and overrides, each as Hydra reads it.

    Args:
        arguments: as given; paths with any character, dotted keys that no yaml names.

    Attributes:
        flags: of Hydra, such as ``config_dir`` and ``multirun``.
        arguments: the overrides, prepared for Hydra.
        parsed: the overrides, parsed.

    Raises:
        InputError: if an argument cannot be read.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.flags = self._flags(arguments)
        _check_folder(self.flags.config_dir)
        given = [overrides.quote(a, self.flags.multirun) for a in self.flags.overrides]
        renamed.refuse(given)
        self.arguments = [overrides.hydra_form(_run_folder(a)) for a in given]
        self.parsed: list[Override] = list(overrides.parse(self.arguments))
        overrides.check(self.parsed)
        folders = {str(o.value()) for o in self.parsed if o.key_or_group == "hydra.run.dir"}
        if len(folders) > 1:
            raise InputError(f"hydra.run.dir: {' and '.join(sorted(folders))}: give one folder")
        for override in self.parsed:
            if override.is_sweep_override() and not self.flags.multirun:
                text = overrides.typed(override)
                raise InputError(f"{text}: several values are a sweep: add -m, or choose one")

    @staticmethod
    def _flags(arguments: Sequence[str]) -> argparse.Namespace:
        """Return the flags among the arguments."""
        parser = get_args_parser()

        def refuse(message: str) -> NoReturn:
            raise InputError(f"{message}: ganymede train --help and --hydra-help list the flags")

        parser.error = refuse  # type: ignore[method-assign]
        known, unknown = parser.parse_known_intermixed_args(list(arguments))
        for argument in unknown:
            flags = [f for action in parser._actions for f in action.option_strings]
            raise InputError(f"{argument}: no such flag; {nearest(argument, flags)}")
        if known.run and known.multirun:
            raise InputError("--run and -m: a run or a sweep: give one of them")
        for name in ("resolve", "package"):
            if getattr(known, name) and not known.cfg:
                raise InputError(f"--{name}: it needs --cfg job, which prints the config: add it")
        return known

    @property
    def shows_config(self) -> bool:
        """Return whether the config or Hydra's own help is to be printed, and nothing trained."""
        flags = self.flags
        return any((flags.cfg, flags.info, flags.hydra_help, flags.shell_completion))

    @property
    def hydra_flags(self) -> list[str]:
        """Return the flags for Hydra."""
        flags = [f"--{name}" for name in ("multirun", "resolve") if getattr(self.flags, name)]
        flags += [f"--{name.replace('_', '-')}" for name in _SWITCHES if getattr(self.flags, name)]
        given = ((name, getattr(self.flags, name)) for name in _VALUED)
        return flags + [f"--{name.replace('_', '-')}={value}" for name, value in given if value]

    @property
    def has_own_configs(self) -> bool:
        """Return whether yaml of the user takes part."""
        flags = self.flags.config_dir or self.flags.config_name
        return bool(flags) or any(o.key_or_group == "hydra.searchpath" for o in self.parsed)

    def drop_unchosen(self, config: DictConfig, given: Iterable[Override] = ()) -> None:
        """Drop what the project's recipes set of members of groups that are not chosen.

        Args:
            config: composed and not resolved.
            given: overrides besides those that were typed.
        """
        if not self.has_own_configs:
            drop_unchosen(config, [*self.parsed, *given])

    def compose(self, arguments: Sequence[str], with_hydra: bool = False) -> DictConfig:
        """Return the config of other overrides under the same flags.

        Raises:
            Exception: what Hydra raises where they do not compose.
        """
        folder = self.flags.config_dir
        folders = [os.path.abspath(folder)] if folder else []
        name = self.flags.config_name or "train"
        return compose(arguments, name, folders, with_hydra=with_hydra)

    def value(self, key: str) -> Any:
        """Return the value that is given for a dotted key, in whatever form, or ``None``.

        Raises:
            InputError: if it is an interpolation that cannot be resolved here.
        """
        tree = OmegaConf.create()
        for override in self.parsed:
            name = override.key_or_group
            single = not override.is_sweep_override() and not override.is_delete()
            if single and not options(name):
                OmegaConf.update(tree, name, override.value(), force_add=True)
        try:
            return OmegaConf.select(tree, key)
        except OmegaConfBaseException as error:
            raise InputError(f"{key}: {str(error).splitlines()[0]}: write the value out") from error


def _check_folder(folder: str | None) -> None:
    """Refuse a folder of configs that is not there."""
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"--config-dir={folder}: there is no such folder: correct it")


def _run_folder(argument: str) -> str:
    """Return an override of the run folder under Hydra's name."""
    return f"hydra.run.dir={argument[8:]}" if argument.startswith("run_dir=") else argument
