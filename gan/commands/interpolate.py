"""Interpolation between latents of a run."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from omegaconf import MISSING
from PIL import Image
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.commands.run import load
from gan.errors import InputError
from gan.pictures import picture, save_grid

_FRAMES = 4  # of the animation, a step of the picture
_PAUSE = 60  # milliseconds a frame


@dataclass
class InterpolateOptions:
    """What ``python -m gan interpolate`` reads.

    Attributes:
        run: the run folder.
        rows: of the picture; row r leads from latent 2r to latent 2r + 1.
        steps: images of a row, both ends included.
        seed: of the latents.
        labels: of a conditional model, one or one a row; by default the classes in turn.
        out: PNG to write; by default ``interpolation.png`` in the run folder.
        gif: also write the walk there and back as an animation, beside the picture.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    rows: int = 8
    steps: int = 10
    seed: int = 0
    labels: list[int] | None = None
    out: str | None = None
    gif: bool = True
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def interpolate(options: InterpolateOptions) -> None:
    """Write a grid of ways between latents, and an animation, and print where they lie."""
    out = Path(options.out) if options.out else Path(options.run) / "interpolation.png"
    _check(options, out)
    game = load(options.run, options.checkpoint, options.allow_targets)
    images = walk(game, options, options.steps)
    save_grid(picture(images.flatten(0, 1), options.steps), out)
    print(out)
    if options.gif:
        animation = out.with_suffix(".gif")
        film = walk(game, options, _FRAMES * (options.steps - 1) + 1)
        _save_animation(film.transpose(0, 1), animation)
        print(animation)


def walk(game: LatentGame, options: InterpolateOptions, steps: int) -> Tensor:
    """Return images (rows, steps, C, H, W) in [-1, 1] along the prior's own way of each row.

    Raises:
        InputError: on labels that the model does not know.
    """
    z = game.prior.sample_each(options.seed, range(2 * options.rows))
    t = torch.linspace(0, 1, steps)[:, None]
    latents = game.prior.interpolate(z[::2, None], z[1::2, None], t)
    images = game.decode(latents.flatten(0, 1), _labels(game, options, steps))
    return images.reshape(options.rows, steps, *images.shape[1:])


def _labels(game: LatentGame, options: InterpolateOptions, steps: int) -> Tensor | None:
    """Return the label of each image, the same all along a row."""
    classes = game.generator.num_classes
    if options.labels is None:
        labels = torch.arange(options.rows) % classes if classes else None
    else:
        labels = torch.tensor(options.labels).expand(options.rows)
    return None if labels is None else labels.repeat_interleave(steps)


def _check(options: InterpolateOptions, out: Path) -> None:
    """Refuse what no picture can be made of."""
    if out.suffix != ".png":
        raise InputError(f"out={out}: give a name that ends in .png")
    if options.rows < 1 or options.steps < 2:
        raise InputError(f"rows={options.rows} must be 1 or more, steps={options.steps} 2 or more")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
    given = len(options.labels) if options.labels is not None else 1
    if given not in (1, options.rows):
        raise InputError(f"labels: {given} given for rows={options.rows}: give one, or one a row")


def _save_animation(film: Tensor, path: Path) -> None:
    """Write images (frames, rows, C, H, W) as a walk there and back that repeats for ever."""
    columns = min(film.shape[1], 4)
    frames = [picture(images, columns).permute(1, 2, 0).numpy() for images in film]
    first, *others = [Image.fromarray(frame) for frame in (*frames, *frames[-2:0:-1])]
    first.save(path, save_all=True, append_images=others, duration=_PAUSE, loop=0)
