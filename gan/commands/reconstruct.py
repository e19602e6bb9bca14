"""Reconstructions of real images by a run."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan.commands.keys import dotted
from gan.commands.labels import as_text
from gan.commands.paths import picture_path
from gan.commands.real_images import ImageSource
from gan.errors import InputError
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class ReconstructOptions:
    """Settings of ``ganymede reconstruct``.

    Attributes:
        run: the run folder of a model with an encoder.
        images: folder or zip file of pictures, or one picture, cropped and resized as images for
            training.
        split: instead, a split of the run's data; the test split by default.
        indices: of images of the split; by default the first.
        n: images at most.
        labels: names or numbers of classes of a conditional model, one or one an image; by default
            those of the split.
        columns: of the picture.
        out: PNG to write; by default ``reconstruction.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        data_root: where the data are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    images: str | None = None
    split: str | None = None
    indices: list[int] | None = None
    n: int = 40
    labels: list[int | str] | None = None
    columns: int = 10
    out: str | None = None
    checkpoint: str | None = None
    data_root: str | None = dotted("data.root")
    allow_targets: list[str] = field(default_factory=list)


def reconstruct(options: ReconstructOptions) -> None:
    """Encode real images, and write a grid of rows of images above their reconstructions."""
    out = picture_path(options.run, options.out, "reconstruction.png")
    if options.columns < 1:
        raise InputError(f"columns={options.columns}: give a number from 1")
    given = (options.images, options.split, options.indices, options.n, options.data_root)
    source = ImageSource(*given)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.pictures import alternate_rows, picture, save_grid
    from gan.runs.encoding import load_autoencoder
    from gan.runs.folder import open_run

    game = load_autoencoder(options.run, options.checkpoint, options.allow_targets)
    opened = source.open(open_run(options.run, options.allow_targets))
    images = opened.read(slice(None))
    own = opened.labels if game.generator.num_classes else None
    found = game.reconstruct(images, own if options.labels is None else as_text(options.labels))
    rows = min(options.columns, len(images))
    save_grid(picture(alternate_rows(images, found, rows), rows), out)
    print(
        *opened.found, out, f"PSNR {_psnr(found, images):.2f} dB, mean of {len(images)}", sep="\n"
    )


def _psnr(images: "Tensor", targets: "Tensor") -> float:
    """Return the mean peak signal-to-noise ratio of images in [-1, 1], in dB."""
    errors = (images - targets).square().mean((1, 2, 3)).clamp(min=4e-10)
    return float((10 * (4 / errors).log10()).mean())
