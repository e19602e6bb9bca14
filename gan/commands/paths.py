"""Where commands write their pictures."""

from pathlib import Path

from gan.errors import InputError


def picture_path(run: str, out: str | None, name: str) -> Path:
    """Return the file of a picture: ``out``, or by default a file of the run folder.

    Raises:
        InputError: if it is no PNG file.
    """
    path = Path(out) if out else Path(run) / name
    if path.suffix != ".png":
        raise InputError(f"out={path}: give a name that ends in .png")
    return path
