"""What a run takes from its data: the number of classes, and their names."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan import records
from gan.runs.classes import FILE
from gan.settings.trust import build
from gan.settings.validation import validate


def _are_counted(config: DictConfig) -> bool:
    """Return whether the number of classes is to be taken from the data."""
    data = config.get("data")
    return isinstance(data, DictConfig) and data.get("num_classes", 0) is None


@contextmanager
def _assumed(config: DictConfig, count: int) -> Iterator[None]:
    """Set the number of classes inside the context, where the data will tell it."""
    counted = _are_counted(config)
    if counted:
        config.data.num_classes = count
    try:
        yield
    finally:
        if counted:
            config.data.num_classes = None


def check_settings(config: DictConfig) -> None:
    """Refuse wrong settings without reading the data.

    Raises:
        InputError: see :func:`~gan.settings.validation.validate`.
    """
    with _assumed(config, 0):
        validate(config)


def count_classes(config: DictConfig) -> None:
    """Set ``data.num_classes``, where it is null, to the number of classes of the data.

    Raises:
        DataError: if the data cannot be read.
    """
    if _are_counted(config):
        config.data.num_classes = build(config.data, list(config.allow_targets)).num_classes


def write_classes(folder: Path, datamodule: Any) -> None:
    """Write the names of the classes in the order of their labels, if they have names."""
    names = getattr(datamodule, "class_names", ())
    if names and datamodule.num_classes:
        records.write(folder / FILE, _distinct(names))


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names, those that occur twice with the number of the class behind them."""
    counts = Counter(names)
    return [f"{name} ({k})" if counts[name] > 1 else name for k, name in enumerate(names)]
