"""The class names of a run: ``classes.json``."""

from pathlib import Path

from gan import records
from gan.errors import InputError

FILE = "classes.json"


def read_class_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes of a run in the order of their labels.

    Args:
        folder: of the run. Its ``classes.json`` is a list of names, all different.

    Returns:
        Nothing if there is no such file.

    Raises:
        InputError: if it holds something else.
    """
    path = folder / FILE
    names: list[str] | None = records.read(path, list[str], "list of class names")
    if names is None:
        return ()
    if not all(name.strip() for name in names):
        raise InputError(f"{path}: a class has no name: name all classes, or move the file away")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: '{twice[0]}' is there twice: name each class once")
    return tuple(names)
