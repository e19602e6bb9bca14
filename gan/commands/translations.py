"""Pictures that are turned into others one by one, with a sheet of the first of them."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import torch
from PIL import Image
from torch import Tensor

from gan.backbones.pixels import to_uint8
from gan.commands.paths import sheet_path
from gan.errors import InputError
from gan.files import new_folder
from gan.pictures import fit, save_grid, tile
from gan.progress import track
from gan.runs.pictures import Pictures

_COLUMNS = 8  # pictures of the sheet, at most
_CELL = 256  # height and width of a picture of the sheet, at most

# Number and image (C, H, W) in [-1, 1] to what the sheet shows of it; the last is the result.
Convert = Callable[[int, Tensor], Sequence[Tensor]]


def write_translations(out: Path, pictures: Pictures, convert: Convert) -> None:
    """Write the result of each picture under its name as a PNG, and a sheet with its stages.

    Args:
        out: the new folder.
        pictures: that are read.
        convert: computes the stages of a picture.

    Raises:
        InputError: if two pictures would have one name.
    """
    names = _written_names(pictures.names)
    columns: list[Sequence[Tensor]] = []
    with new_folder(out) as part:
        for number, (name, written) in enumerate(
            track(names.items(), "pictures", len(names), "img")
        ):
            stages = convert(number, pictures.read(name) / 127.5 - 1)
            _save(stages[-1], part / written)
            if number < _COLUMNS:
                columns.append([stage.cpu() for stage in stages])
        sheet = _sheet(columns)
    save_grid(sheet, sheet_path(out))
    for line in pictures.found:
        print(f"{line}")
    print(out, sheet_path(out), sep="\n")


def _written_names(names: Sequence[str]) -> dict[str, str]:
    """Return the name that is written for each picture: its own, with the ending .png."""
    written = {name: str(PurePosixPath(name).with_suffix(".png")) for name in names}
    taken: dict[str, str] = {}
    for name, new in written.items():
        other = taken.setdefault(new.casefold(), name)
        if other != name:
            raise InputError(f"images: {other} and {name} would both be {new}: rename one of them")
    return written


def _save(image: Tensor, path: Path) -> None:
    """Write an image (C, H, W) in [-1, 1]; a gray one stays gray."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = to_uint8(image).permute(1, 2, 0).numpy()
    Image.fromarray(pixels.squeeze(-1) if len(image) == 1 else pixels).save(path, "PNG")


def _sheet(columns: Sequence[Sequence[Tensor]]) -> Tensor:
    """Return a picture (3, H, W) with the stages of each image below one another."""
    largest = max(max(stage.shape[1:]) for stages in columns for stage in stages)
    rows = [
        [fit(stage, min(largest, _CELL)) for stage in row] for row in zip(*columns, strict=True)
    ]
    return tile(torch.stack([stage for row in rows for stage in row]), len(columns))
