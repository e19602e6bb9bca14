"""Projection of an image into the latent space of a run."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan.commands.keys import dotted
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.files import replacement
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from torch import Tensor

    from gan.algorithms.latent import LatentGame
    from gan.algorithms.projection import Space
    from gan.algorithms.reconstruction import Problem

_FRAMES = 60  # of the animation at most


@dataclass
class ProjectOptions:
    """Settings of ``ganymede project``.

    Attributes:
        run: the run folder.
        image: picture to project, of the size that the run draws.
        index: instead, the number of an image of the run's test split.
        mask: picture that is white at known pixels; the others are painted in.
        hole: instead, the unknown pixels: [top,left,height,width].
        noise: standard deviation of the noise of the image, whose pixels lie in [-1, 1]; the search
            ends where the residual is no larger.
        corrupt: add that noise to the image first.
        label: name or number of a class of a conditional model; by default that of the image of the
            test split.
        extended: a style of its own for each layer (W+).
        steps: of the search.
        seed: of the search, and of the noise that is added.
        out: PNG to write; by default ``projection.png`` in the run folder. The latent is written
            beside it, as a tensor in a .pt file: styles (1, layers, style_dim), or z (1, dim).
        gif: also write the search as an animation, beside the picture.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        checkpoint: "best" or "last"; by default the best if there is one.
        data_root: where the data are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    image: str | None = None
    index: int | None = None
    mask: str | None = None
    hole: list[int] | None = None
    noise: float = 0.0
    corrupt: bool = False
    label: int | str | None = None
    extended: bool = False
    steps: int = 500
    seed: int = 0
    out: str | None = None
    gif: bool = True
    device: str | None = None
    checkpoint: str | None = None
    data_root: str | None = dotted("data.root")
    allow_targets: list[str] = field(default_factory=list)


def project(options: ProjectOptions) -> None:
    """Find the latent of a given image, and write the image that it gives."""
    out = picture_path(options.run, options.out, "projection.png")
    _check(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    import torch

    from gan.algorithms.projection import Projection
    from gan.algorithms.reconstruction import compute_images, latent_space
    from gan.pictures import picture, save_animation, save_grid
    from gan.progress import track

    search = Projection(options.steps, options.seed)
    game, problem, label = _problem(options)
    space = latent_space(game, label, options.seed, options.extended)
    path = search.path(space, problem.observation)
    latents = list(track(path, "projection", options.steps + 1))
    projection = compute_images(space, latents[-1])
    sheet = problem.sheet(projection).cpu()
    save_grid(picture(sheet, len(sheet)), out)
    with replacement(out.with_suffix(".pt")) as part:
        torch.save(space.inputs(latents[-1]).cpu().clone(), part)
    written = [out, out.with_suffix(".pt")]
    if options.gif:
        written.append(out.with_suffix(".gif"))
        save_animation(_film(space, problem, latents), written[-1])
    print(*written, f"steps: {len(latents) - 1}", *problem.errors(projection), sep="\n")


def _problem(options: ProjectOptions) -> "tuple[LatentGame, Problem, Tensor | None]":
    """Return the game on its device, the image with its observation, and its label (1,)."""
    from gan.algorithms.latent import LatentGame
    from gan.devices import find_device
    from gan.runs.checkpoints import load
    from gan.runs.folder import open_run
    from gan.runs.observation import Source, read_problem

    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    game = game.to(find_device(options.device))
    run = open_run(options.run, options.allow_targets)
    given = (options.image, options.index, options.mask, options.hole)
    source = Source(*given, options.data_root)
    label = None if options.label is None else str(options.label)
    problem, y = read_problem(
        run, game, source, options.noise, options.corrupt, label, options.seed
    )
    return game, problem, y


def _film(space: "Space", problem: "Problem", latents: "list[Tensor]") -> "Tensor":
    """Return frames (F, 2, C, H, W) of the search: the observation beside the image found."""
    import torch

    from gan.algorithms.reconstruction import compute_images

    count = min(_FRAMES, len(latents))
    chosen = torch.linspace(0, len(latents) - 1, count).round().int().tolist()
    frames = [torch.cat([problem.observed, compute_images(space, latents[k])]) for k in chosen]
    return torch.stack(frames).cpu()


def _check(options: ProjectOptions) -> None:
    """Refuse settings that are out of range or do not go together."""
    if (options.image is None) == (options.index is None):
        raise InputError("image: name a picture, or by index=K an image of the run's test split")
    if options.mask is not None and options.hole is not None:
        raise InputError("mask, hole: give one of the two")
    if options.hole is not None and len(options.hole) != 4:
        raise InputError(f"hole={list(options.hole)}: give [top,left,height,width]")
    if not 0 <= options.noise < math.inf:
        raise InputError(f"noise={options.noise}: give a standard deviation from 0")
    if options.corrupt and options.noise == 0:
        raise InputError("corrupt: there is no noise to put on: add noise=0.2")
