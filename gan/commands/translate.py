"""Translation of pictures by a run."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from gan.commands.paths import new_folder_path, source_path
from gan.errors import InputError
from gan.runs.folder import check_run

_DIRECTIONS = ("ab", "ba")


@dataclass
class TranslateOptions:
    """Settings of ``ganymede translate``.

    Attributes:
        run: the run folder of a model on images.
        images: folder or zip file of pictures, or one picture.
        out: new folder for the results, PNG files under the names of the pictures; a sheet of the
            first before and after, ``OUT_before_after.png``, is written beside it.
        direction: "ab", from the source domain to the target, or "ba".
        resize: crop and resize pictures as images for training; otherwise they keep their size and
            are translated in tiles.
        tile: height and width of a tile in pixels; by default those of training, and 128 for
            larger pictures and convolutional networks.
        overlap: least number of pixels that tiles share; by default half a tile.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    images: str = MISSING
    out: str = MISSING
    direction: str = "ab"
    resize: bool = True
    tile: int | None = None
    overlap: int | None = None
    checkpoint: str | None = None
    device: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def translate(options: TranslateOptions) -> None:
    """Turn pictures of one domain into the other, and write a sheet before / after."""
    out = new_folder_path(options.out)
    images = source_path(options.images, out)
    _check(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.commands.translations import write_translations
    from gan.devices import find_device
    from gan.runs.folder import open_run
    from gan.runs.translation import RunTranslation

    run, device = open_run(options.run, options.allow_targets), find_device(options.device)
    translation = RunTranslation(run, options.checkpoint, options.direction, device)
    tiled = translation.in_tiles(options.tile, options.overlap)
    pictures = translation.pictures(images, options.resize)
    write_translations(out, pictures, lambda _, image: [image, tiled(image)])


def _check(options: TranslateOptions) -> None:
    """Refuse settings that are unknown or do not go together."""
    if options.direction not in _DIRECTIONS:
        raise InputError(f"direction={options.direction}: give {' or '.join(_DIRECTIONS)}")
    for name in ("tile", "overlap"):
        if options.resize and getattr(options, name) is not None:
            raise InputError(f"{name}: pictures are resized to one tile: add resize=false")
