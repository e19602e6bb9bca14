"""Interpolation between samples of a run."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from gan.commands.labels import as_text
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.runs.folder import check_run

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
        styles: interpolate styles instead of latents; by default wherever the generator has styles.
        out: PNG to write; by default ``interpolation.png`` in the run folder.
        gif: also write the way there and back as an animation, beside the picture.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    rows: int = 8
    steps: int = 10
    seed: int = 0
    labels: list[int | str] | None = None
    styles: bool | None = None
    out: str | None = None
    gif: bool = True
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def interpolate(options: InterpolateOptions) -> None:
    """Write a grid of interpolations between samples, and an animation."""
    out = picture_path(options.run, options.out, "interpolation.png")
    _check(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms import interpolation
    from gan.algorithms.latent import LatentGame
    from gan.pictures import forth_and_back, picture, save_animation, save_grid
    from gan.runs.checkpoints import load

    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    rows, chosen = options.rows, (options.seed, as_text(options.labels), options.styles)
    images = interpolation.interpolate(game, rows, options.steps, *chosen)
    save_grid(picture(images.flatten(0, 1), options.steps), out)
    print(out)
    if options.gif:
        animation, frames = out.with_suffix(".gif"), _FRAMES * (options.steps - 1) + 1
        film = interpolation.interpolate(game, rows, frames, *chosen).transpose(0, 1)
        save_animation(forth_and_back(film), animation)
        print(animation)


def _check(options: InterpolateOptions) -> None:
    """Refuse numbers out of range."""
    if options.rows < 1 or options.steps < 2:
        raise InputError(f"rows={options.rows} must be 1 or more, steps={options.steps} 2 or more")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
    given = len(options.labels) if options.labels is not None else 1
    if given not in (1, options.rows):
        raise InputError(f"labels: {given} given for rows={options.rows}: give one, or one a row")
