"""Restoration of pictures by a run."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan.commands.paths import new_folder_path, source_path
from gan.errors import InputError
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from torch import Tensor

    from gan.commands.translations import Convert
    from gan.runs.translation import RunTranslation


@dataclass
class RestoreOptions:
    """Settings of ``ganymede restore``.

    Attributes:
        run: the run folder of a model on images.
        images: folder or zip file of pictures, or one picture; they keep their size.
        out: new folder for the results, PNG files under the names of the pictures; a sheet of the
            first before and after, ``OUT_before_after.png``, is written beside it.
        degrade: first make degraded pictures, as the run's task does.
        seed: of the degradation; that of picture k depends on the seed and k alone.
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
    degrade: bool = False
    seed: int = 0
    tile: int | None = None
    overlap: int | None = None
    checkpoint: str | None = None
    device: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def restore(options: RestoreOptions) -> None:
    """Restore pictures of any size, and write a sheet before / after."""
    out = new_folder_path(options.out)
    images = source_path(options.images, out)
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.commands.translations import write_translations
    from gan.devices import find_device
    from gan.runs.folder import open_run
    from gan.runs.translation import RunTranslation

    run, device = open_run(options.run, options.allow_targets), find_device(options.device)
    translation = RunTranslation(run, options.checkpoint, "ab", device)
    convert = _restoration(translation, options)
    write_translations(out, translation.pictures(images, resize=False), convert)


def _restoration(translation: "RunTranslation", options: RestoreOptions) -> "Convert":
    """Return the function that restores a picture, degraded before if that is asked for."""
    tiled = translation.in_tiles(options.tile, options.overlap)
    if not options.degrade:
        return lambda _, image: [image, tiled(image)]
    degrading = translation.degrading(options.seed)

    def degrade_and_restore(number: int, image: "Tensor") -> "list[Tensor]":
        clean, degraded = degrading(number, image)
        return [clean, degraded, tiled(degraded)]

    return degrade_and_restore
