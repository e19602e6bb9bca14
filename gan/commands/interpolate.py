"""Interpolation between samples of a run, or between real images."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan.commands.keys import dotted
from gan.commands.labels import as_text
from gan.commands.paths import picture_path
from gan.commands.real_images import ImageSource
from gan.errors import InputError
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_FRAMES = 4  # of the animation for each step of the picture


@dataclass
class InterpolateOptions:
    """Settings of ``ganymede interpolate``.

    Attributes:
        run: the run folder.
        rows: of the picture; row r leads from sample 2r to sample 2r + 1.
        steps: images of a row, both ends included.
        seed: of the latents.
        labels: names or numbers of classes of a conditional model, one or one a row; by default the
            classes in turn.
        images: folder or zip file of pictures, or one picture: rows lead between the encodings of
            real images, with these at both ends; row r from image 2r to 2r + 1.
        split: instead, a split of the run's data.
        indices: of images of the split; without ``split``, of the test split.
        styles: interpolate styles instead of latents; by default wherever the generator has styles.
        out: PNG to write; by default ``interpolation.png`` in the run folder.
        gif: also write the way there and back as an animation, beside the picture.
        checkpoint: "best" or "last"; by default the best if there is one.
        data_root: where the data of real images are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    rows: int = 8
    steps: int = 10
    seed: int = 0
    labels: list[int | str] | None = None
    images: str | None = None
    split: str | None = None
    indices: list[int] | None = None
    styles: bool | None = None
    out: str | None = None
    gif: bool = True
    checkpoint: str | None = None
    data_root: str | None = dotted("data.root")
    allow_targets: list[str] = field(default_factory=list)


def interpolate(options: InterpolateOptions) -> None:
    """Write a grid of interpolations between samples or real images, and an animation."""
    out = picture_path(options.run, options.out, "interpolation.png")
    _check(options)
    real = any(v is not None for v in (options.images, options.split, options.indices))
    (_between_images if real else _between_samples)(options, out)


def _between_samples(options: InterpolateOptions, out: Path) -> None:
    """Write a grid of interpolations between samples."""
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms import interpolation
    from gan.algorithms.latent import LatentGame
    from gan.runs.checkpoints import load

    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    chosen = (options.seed, as_text(options.labels), options.styles)
    _write(options, out, lambda n: interpolation.interpolate(game, options.rows, n, *chosen))


def _between_images(options: InterpolateOptions, out: Path) -> None:
    """Write a grid of interpolations between encoded real images, with these at the ends."""
    if options.styles:
        raise InputError("styles: real images are encoded as latents: leave styles out")
    given = (options.images, options.split, options.indices, 2 * options.rows, options.data_root)
    source = ImageSource(*given)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms.interpolation import interpolate_images
    from gan.runs.encoding import load_autoencoder
    from gan.runs.folder import open_run

    game = load_autoencoder(options.run, options.checkpoint, options.allow_targets)
    opened = source.open(open_run(options.run, options.allow_targets))
    rows = len(opened) // 2
    if not rows:
        raise InputError("images: a row leads from one image to another: give two or more")
    images, own = opened.read(slice(2 * rows)), None
    if game.generator.num_classes and opened.labels is not None:
        own = opened.labels[: 2 * rows : 2]
    labels = game.labels_for(rows, own if options.labels is None else as_text(options.labels))
    pairs = images.reshape(rows, 2, *images.shape[1:])
    _write(options, out, lambda n: interpolate_images(game, images, n, labels), pairs)


def _write(
    options: InterpolateOptions,
    out: Path,
    walk: "Callable[[int], Tensor]",
    ends: "Tensor | None" = None,
) -> None:
    """Write the picture and the animation.

    Args:
        options: of the command.
        out: the picture.
        walk: number of steps to images (rows, steps, C, H, W).
        ends: real images beside both ends of each row, (rows, 2, C, H, W).
    """
    import torch

    from gan.pictures import forth_and_back, picture, save_animation, save_grid

    images = walk(options.steps)
    if ends is not None:
        images = torch.cat([ends[:, :1], images, ends[:, 1:]], dim=1)
    save_grid(picture(images.flatten(0, 1), images.shape[1]), out)
    print(out)
    if options.gif:
        film = walk(_FRAMES * (options.steps - 1) + 1).transpose(0, 1)
        save_animation(forth_and_back(film), out.with_suffix(".gif"))
        print(out.with_suffix(".gif"))


def _check(options: InterpolateOptions) -> None:
    """Refuse numbers out of range."""
    if options.rows < 1 or options.steps < 2:
        raise InputError(f"rows={options.rows} must be 1 or more, steps={options.steps} 2 or more")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
    given = len(options.labels) if options.labels is not None else 1
    if given not in (1, options.rows):
        raise InputError(f"labels: {given} given for rows={options.rows}: give one, or one a row")
