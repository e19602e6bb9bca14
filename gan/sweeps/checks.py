"""Checks of the settings of a sweep before its first job."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    RangeSweep,
)
from omegaconf import DictConfig, open_dict

from gan.errors import InputError
from gan.files import refuse_special_files
from gan.runs.data import check_settings
from gan.settings import overrides
from gan.settings.commandline import CommandLine
from gan.sweeps import tpe

_PROGRAMS = {"SlurmLauncher": "srun"}  # that a launcher needs


def check_sweep(line: CommandLine) -> None:
    """Refuse settings that would make a job fail at its start, and a folder with links out of it.

    Each value of each setting is checked once, together with the first values of the others.

    Raises:
        InputError: with what is wrong.
        Exception: what Hydra raises where the settings do not compose.
    """
    fixed = [str(o.input_line) for o in line.parsed if not o.is_sweep_override()]
    swept = {overrides.key_of(o): _values(o) for o in line.parsed if o.is_sweep_override()}
    first = line.compose(fixed, with_hydra=True)
    refuse_special_files(Path(first.hydra.sweep.dir))
    _check_launcher(first.hydra.launcher)
    params = first.hydra.sweeper.get("params") or {}
    searched = [overrides.hydra_form(f"{key!s}={value}") for key, value in params.items()]
    for override in overrides.parse(searched):
        if override.is_sweep_override():
            swept[overrides.key_of(override)] = _values(override)
        else:
            fixed.append(str(override.input_line))
    for arguments in _variants(fixed, [values for values in swept.values() if values]):
        config = line.compose(arguments)
        with open_dict(config):
            config.run_dir = "sweep"  # that of each job is known later
        line.drop_unchosen(config, overrides.parse(arguments))
        check_settings(config)
        _check_machines(first.hydra.launcher, config.accelerator)
    if first.hydra.sweeper._target_ == tpe.TARGET:
        tpe.check(first, swept)


def _check_launcher(launcher: DictConfig) -> None:
    """Refuse SLURM where there is none."""
    needs = _PROGRAMS.get(str(launcher.get("_target_")).rpartition(".")[2])
    if needs is not None and shutil.which(needs) is None:
        raise InputError(
            f"hydra/launcher: there is no {needs} on this machine: start the sweep where SLURM "
            "is, or choose sweep=parallel"
        )


def _check_machines(launcher: DictConfig, node: DictConfig) -> None:
    """Refuse machines and tasks of a launcher that a job does not use, or does not get."""
    nodes, given = node.get("num_nodes", 1), launcher.get("nodes", 1)
    if nodes != given and "nodes" in launcher:
        raise InputError(
            f"hydra.launcher.nodes={given}: a job of accelerator.num_nodes={nodes} does not use "
            f"them: give accelerator.num_nodes={given}"
        )
    if nodes != given:
        raise InputError(
            f"accelerator.num_nodes={nodes}: this sweep starts its jobs on one machine: choose "
            "sweep=slurm"
        )
    tasks = launcher.get("tasks_per_node", 1)
    if tasks not in (1, node.devices):
        raise InputError(
            f"hydra.launcher.tasks_per_node={tasks}: a job has accelerator.devices={node.devices}: "
            "leave it out, or give the number of devices"
        )


def _values(override: Override) -> list[str]:
    """Return the values of a setting that are to be checked, as overrides."""
    value, key = override.value(), override.get_key_element()
    if isinstance(value, IntervalSweep):
        _check_interval(override.key_or_group, value)
        return [f"{key}={value.start}", f"{key}={value.end}"]
    if isinstance(value, RangeSweep):
        numbers = list(value.range())
        return [f"{key}={numbers[0]}", f"{key}={numbers[-1]}"]
    if isinstance(value, Glob) or not isinstance(value, ChoiceSweep):
        return []
    found = list(override.sweep_string_iterator())
    numeric = all(isinstance(item, int | float) for item in value.list)
    return [f"{key}={text}" for text in (found[:1] + found[-1:] if numeric else found)]


def _check_interval(key: str, value: IntervalSweep) -> None:
    """Refuse an interval that holds no number, or none that has a logarithm."""
    low, high = float(value.start or 0), float(value.end or 0)
    if not low <= high:
        raise InputError(f"{key}: interval({value.start},{value.end}): give the smaller end first")
    if "log" in value.tags and low <= 0:
        raise InputError(f"{key}: tag(log,...) needs an interval above 0, not from {value.start}")


def _variants(fixed: list[str], swept: list[list[str]]) -> Iterator[list[str]]:
    """Yield overrides so that each value occurs once, beside the first values of the others."""
    first = [values[0] for values in swept]
    yield [*fixed, *first]
    for index, values in enumerate(swept):
        for value in values[1:]:
            yield [*fixed, *first[:index], value, *first[index + 1 :]]
