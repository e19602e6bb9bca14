"""Interpolation between latents of a run."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from omegaconf import MISSING
from PIL import Image
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.commands.styles import Styles
from gan.errors import InputError
from gan.networks.style import StyleGenerator
from gan.pictures import picture, save_grid
from gan.runs.folder import load

FRAMES = 4  # of an animation, a step of the picture
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
        styles: go straight from style to style, not from latent to latent; by default wherever
            the generator has styles.
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
    styles: bool | None = None
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
        film = walk(game, options, FRAMES * (options.steps - 1) + 1)
        save_animation(there_and_back(film.transpose(0, 1)), animation)
        print(animation)


def walk(game: LatentGame, options: InterpolateOptions, steps: int) -> Tensor:
    """Return images (rows, steps, C, H, W) in [-1, 1] along the way of each row.

    The straight line between styles, or the prior's own way between latents. Straight lines in W
    are the smoother ones (Karras et al., 2019, section 4.1).

    Raises:
        InputError: on labels that the model does not know, or if there are no styles to follow.
    """
    z = game.prior.sample_each(options.seed, range(2 * options.rows))
    labels, t = _labels(game, options), torch.linspace(0, 1, steps)[:, None]
    followed = options.styles
    if followed is None:
        followed = isinstance(game.averaged, StyleGenerator)
    if followed:
        styles = Styles(game, options.run)
        a, b = (styles.of(end, labels)[:, None] for end in (z[::2], z[1::2]))
        return styles.images(torch.lerp(a, b, t[:, None].to(a)))
    latents = game.prior.interpolate(z[::2, None], z[1::2, None], t)
    along = None if labels is None else labels.repeat_interleave(steps)
    images = game.decode(latents.flatten(0, 1), along)
    return images.reshape(options.rows, steps, *images.shape[1:])


def _labels(game: LatentGame, options: InterpolateOptions) -> Tensor | None:
    """Return the label of each row.

    Raises:
        InputError: on labels that the model does not know.
    """
    labels = None if options.labels is None else list(options.labels)
    return game.labels_for(options.rows, labels)


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


def there_and_back(film: Tensor) -> Tensor:
    """Return frames (F, ...) followed by those between the last and the first."""
    return torch.cat([film, film.flip(0)[1:-1]])


def save_animation(film: Tensor, path: Path) -> None:
    """Write images (frames, n, C, H, W) as an animation that repeats for ever, n in a grid."""
    columns = min(film.shape[1], 4)
    frames = [picture(images, columns).permute(1, 2, 0).numpy() for images in film]
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=others, duration=_PAUSE, loop=0)
