"""What a run takes from its data: the number of classes, and their names."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan import records
from gan.errors import InputError
from gan.runs.classes import FILE
from gan.settings.trust import build
from gan.settings.validation import validate


def _are_counted(config: DictConfig) -> bool:
    """Return whether the number of classes is to be taken from the data."""
    data = config.get("data")
    return isinstance(data, DictConfig) and data.get("num_classes", 0) is None


@contextmanager
def _without_labels(config: DictConfig) -> Iterator[None]:
    """Set the number of classes to 0 inside the context, where the data will tell it."""
    counted = _are_counted(config)
    if counted:
        config.data.num_classes = 0
    try:
        yield
    finally:
        if counted:
            config.data.num_classes = None


def check_settings(config: DictConfig) -> None:
    """Refuse settings that are wrong, or that this machine cannot train with; reads no data.

    Raises:
        InputError: see :func:`~gan.settings.validation.validate`.
    """
    with _without_labels(config):
        validate(config)
    _check_cores(config.accelerator)


def _check_cores(node: DictConfig) -> None:
    """Refuse more processes than a CPU has cores; GPUs are counted when they are used."""
    cores = max(2, os.cpu_count() or 1)
    if node.accelerator == "cpu" and isinstance(node.devices, int) and node.devices > cores:
        raise InputError(
            f"accelerator.devices={node.devices}: this machine has {cores} cores: give no more"
        )


def count_classes(config: DictConfig) -> None:
    """Set ``data.num_classes``, where it is null, to the number of classes of the data.

    Raises:
        DataError: if the data cannot be read.
    """
    if _are_counted(config):
        config.data.num_classes = build(config.data, list(config.allow_targets)).num_classes


def write_classes(folder: Path, datamodule: Any) -> None:
    """Write the names of the classes in the order of their labels, if they have names."""
    if datamodule.class_names and datamodule.num_classes:
        records.write(folder / FILE, _distinct(datamodule.class_names))


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names, those that occur twice with the number of the class behind them."""
    counts = Counter(names)
    return [f"{name} ({k})" if counts[name] > 1 else name for k, name in enumerate(names)]
