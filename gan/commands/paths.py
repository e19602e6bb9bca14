"""Where commands read and write pictures."""

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


def new_folder_path(out: str) -> Path:
    """Return the path of a folder that is to be made.

    Raises:
        InputError: if files are in it, or it is there and no folder.
    """
    path = Path(out)
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            f"out={out}: files are in it already: name a new folder, or empty this one"
        )
    if path.exists() and not path.is_dir():
        raise InputError(f"out={out}: it is there already: choose another name, or delete it")
    return path


def sheet_path(out: Path) -> Path:
    """Return the file of the sheet of pictures that lie in a folder: beside the folder.

    Raises:
        InputError: if a folder is there.
    """
    place = out.resolve()
    sheet = place.with_name(f"{place.name}_before_after.png")
    if sheet.is_dir():
        raise InputError(f"out={out}: the sheet cannot be written, {sheet} is a folder: move it")
    return sheet


def source_path(images: str, out: Path) -> Path:
    """Return the folder, zip file or picture that is read.

    Args:
        images: its path.
        out: folder that is written to, with a sheet beside it.

    Raises:
        InputError: if it is not there, or would be written to.
    """
    path = Path(images).expanduser()
    if not (path.is_dir() or path.is_file()):
        raise InputError(f"images={images}: no such folder, zip file or picture")
    place = path.resolve()
    if out.resolve().is_relative_to(place):
        raise InputError(f"out={out}: it lies in images={images}: name a folder outside of it")
    if sheet_path(out) == place:
        raise InputError(f"out={out}: its sheet would replace images={images}: give another name")
    return path
