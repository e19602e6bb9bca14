"""Projection of a given image: reconstruction, inpainting, denoising."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from omegaconf import MISSING
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from gan.algorithms.latent import LatentGame
from gan.algorithms.projection import LatentSpace, Observation, Projection, Space, StyleSpace
from gan.backbones.source import RealSource
from gan.commands.interpolate import save_animation
from gan.commands.styles import destination
from gan.errors import InputError
from gan.latents import keyed_generator
from gan.networks.style import StyleGenerator
from gan.pictures import picture, save_grid
from gan.runs.folder import Run, load
from gan.settings.trust import build

_FRAMES = 60  # of the animation at most
_MODES = {1: "L", 3: "RGB"}  # by channels
_UNKNOWN = 0.0  # shown where a pixel is not known
_CORRUPTION = (0, 5)  # end of a key; those of samples have no 0 there


@dataclass
class ProjectOptions:
    """What ``python -m gan project`` reads.

    Attributes:
        run: the run folder.
        image: picture to project, of the size that the run draws.
        index: instead, the number of an image of the run's test split.
        mask: picture that is white where pixels are known; the others are painted in.
        hole: instead, the pixels that are not known: [top, left, height, width].
        noise: standard deviation of the noise of the image, whose pixels lie in [-1, 1]; the search
            ends where what is left is no larger.
        corrupt: put that noise on the image first.
        label: of a conditional model; by default that of the image of the test split.
        extended: a style of its own for each layer (W+).
        steps: of the search.
        seed: of the search, and of the noise that is put on.
        out: PNG to write; by default ``projection.png`` in the run folder. The latent lies beside
            it, as a tensor in a .pt file: styles (1, layers, style_dim), or z (1, dim).
        gif: also write the search as an animation, beside the picture.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    image: str | None = None
    index: int | None = None
    mask: str | None = None
    hole: list[int] | None = None
    noise: float = 0.0
    corrupt: bool = False
    label: int | None = None
    extended: bool = False
    steps: int = 500
    seed: int = 0
    out: str | None = None
    gif: bool = True
    device: str | None = None
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """An image, and what the search is told of it.

    Attributes:
        image: as it is given, (1, C, H, W) in [-1, 1].
        observation: the image, noisy and in part.
    """

    image: Tensor
    observation: Observation

    @property
    def partial(self) -> bool:
        """Whether there are pixels to paint in."""
        return bool((self.observation.known == 0).any())

    @property
    def seen(self) -> Tensor:
        """The observation, (1, C, H, W), gray where it is not known."""
        return torch.where(self.observation.known > 0, self.observation.image, _UNKNOWN)

    def sheet(self, projection: Tensor) -> Tensor:
        """Return images (n, C, H, W) in one row: what is given, what is found, the error.

        The image; the observation, if it is less; the projection; it with the known pixels pasted
        in, if there are others; its absolute error, from black (0) to white (2).
        """
        shown = [self.image, projection]
        if not torch.equal(self.seen, self.image):
            shown.insert(1, self.seen)
        if self.partial:
            shown.append(torch.where(self.observation.known > 0, self.seen, projection))
        return torch.cat([*shown, (projection - self.image).abs() - 1])

    def errors(self, projection: Tensor) -> Iterator[str]:
        """Yield a line for each set of pixels: mean squared error, and PSNR in dB."""
        known = self.observation.known
        sets = {"known pixels": self.observation}
        if self.partial:
            sets["hidden pixels, as the image has them"] = Observation(self.image, 1 - known)
        if not torch.equal(self.observation.image, self.image):
            sets["known pixels before noise"] = Observation(self.image, known)
        for name, observed in sets.items():
            error = float(observed.residual(projection))
            ratio = 10 * math.log10(4 / error) if error else math.inf
            yield f"{name}: mean squared error {error:.4g}, PSNR {ratio:.1f} dB"


def project(options: ProjectOptions) -> None:
    """Find the latent of a given image, write what it makes of it, and print where it lies."""
    out = destination(options.run, options.out, "projection.png")
    search = Projection(options.steps, options.seed)
    _check(options)
    game = _placed(load(options.run, options.checkpoint, options.allow_targets), options.device)
    task, label = read(game, options)
    space = latents(game, label, options)
    path, steps = search.path(space, task.observation), options.steps + 1
    found = list(tqdm(path, "projection", total=steps, unit="step", leave=False))
    projection = images(space, found[-1])
    sheet = task.sheet(projection).cpu()
    save_grid(picture(sheet, len(sheet)), out)
    torch.save(space.inputs(found[-1]).cpu().clone(), out.with_suffix(".pt"))
    written = [out, out.with_suffix(".pt")]
    if options.gif:
        written.append(out.with_suffix(".gif"))
        save_animation(_film(space, task, found), written[-1])
    print(*written, f"steps: {len(found) - 1}", *task.errors(projection), sep="\n")


def images(space: Space, latent: Tensor) -> Tensor:
    """Return images (B, C, H, W) in [-1, 1] of latents (B, ...), without gradients."""
    with torch.no_grad():
        return space.images(latent).clamp(-1, 1)


def read(game: LatentGame, options: ProjectOptions) -> tuple[Task, Tensor | None]:
    """Return what is to be projected, and the label (1,) of a conditional model.

    Raises:
        InputError: if image, mask, hole or label cannot be had, or do not fit the run.
    """
    shape = game.sample(1).shape[1:]
    if shape == (2, 1, 1):
        raise InputError(f"run={options.run}: it draws points, which no image is projected to")
    label = options.label
    if options.image is not None:
        image = pixels("image", options.image, shape)
    else:
        image, found = _test_image(options)
        label = found if label is None and game.generator.num_classes else label
    if label is None and game.generator.num_classes:
        raise InputError(f"label: the model of {options.run} knows classes: add label=K")
    y = game.labels_for(1, None if label is None else [label])
    key = keyed_generator(options.seed, *_CORRUPTION)
    noise = options.noise * options.corrupt * torch.randn(image.shape, generator=key)
    given = [part.to(game.device) for part in (image, image + noise, _known(options, shape))]
    task = Task(given[0], Observation(given[1], given[2], options.noise))
    return task, None if y is None else y.to(game.device)


def latents(game: LatentGame, label: Tensor | None, options: ProjectOptions) -> Space:
    """Return the space that is searched: that of styles where the generator has some.

    Raises:
        InputError: if layers are to have styles of their own, and have none.
    """
    if isinstance(game.averaged, StyleGenerator):
        return StyleSpace(game.averaged, game.prior, label, options.seed, options.extended)
    if options.extended:
        raise InputError(
            f"extended: the {type(game.averaged).__name__} of {options.run} has no styles: leave "
            "extended out"
        )
    return LatentSpace(game.averaged, game.prior, label, options.seed)


def pixels(setting: str, path: str, shape: torch.Size) -> Tensor:
    """Return the picture at ``path`` as an image (1, C, H, W) in [-1, 1].

    Args:
        setting: that names it, for the message.
        path: of a file that Pillow reads.
        shape: (C, H, W) of the run; colours are converted, sizes are not.

    Raises:
        InputError: if there is none, it has more than 8 bits a channel, or is of another size.
    """
    channels, height, width = shape
    try:
        with Image.open(path) as opened:
            deep = opened.mode.startswith(("I", "F"))
            found = opened.convert(_MODES[channels])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        there = "no whole picture" if Path(path).exists() else "there is no such file"
        raise InputError(f"{setting}={path}: {there}: name a PNG") from error
    if deep:
        raise InputError(f"{setting}={path}: more than 8 bits a channel: convert it to 8 bits")
    if found.size != (width, height):
        raise InputError(
            f"{setting}={path}: {found.width}x{found.height} pixels, but the run draws "
            f"{width}x{height}: resize it"
        )
    levels = torch.frombuffer(bytearray(found.tobytes()), dtype=torch.uint8)
    return levels.view(1, height, width, channels).permute(0, 3, 1, 2) / 127.5 - 1


def _test_image(options: ProjectOptions) -> tuple[Tensor, int | None]:
    """Return an image (1, C, H, W) of the run's test split, in [-1, 1], and its label.

    Raises:
        InputError: if the data are not there, or have no such image.
    """
    run, index = Run(options.run, options.allow_targets), options.index
    source: RealSource = build(run.config.data, options.allow_targets)
    split = source.split("test")
    assert index is not None
    if not 0 <= index < len(split):
        raise InputError(f"index={index}: the test images of {source.name} are 0..{len(split) - 1}")
    image = split.images(torch.tensor([index])).cpu() / 127.5 - 1
    return image, None if split.labels is None else int(split.labels[index])


def _known(options: ProjectOptions, shape: torch.Size) -> Tensor:
    """Return 1 where a pixel is known and 0 where it is not, (1, 1, H, W).

    Raises:
        InputError: if the mask cannot be had, the hole leaves the image, or nothing is known.
    """
    _, height, width = shape
    known = torch.ones(1, 1, height, width)
    if options.mask is not None:
        known = (pixels("mask", options.mask, torch.Size((1, height, width))) > 0).float()
    elif options.hole is not None:
        top, left, *size = options.hole
        bottom, right = top + size[0], left + size[1]
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise InputError(
                f"hole={list(options.hole)}: give [top,left,height,width] within {height}x{width}"
            )
        known[:, :, top:bottom, left:right] = 0
    if not known.any():
        raise InputError("mask or hole: it leaves no pixel: white is what is known")
    return known


def _film(space: Space, task: Task, found: list[Tensor]) -> Tensor:
    """Return frames (F, 2, C, H, W) of the search: what is given beside what is found."""
    chosen = torch.linspace(0, len(found) - 1, min(_FRAMES, len(found))).round().int().tolist()
    frames = [torch.cat([task.seen, images(space, found[k])]) for k in chosen]
    return torch.stack(frames).cpu()


def _placed(game: LatentGame, device: str | None) -> LatentGame:
    """Return the game on a device.

    Raises:
        InputError: if there is no such device.
    """
    try:
        return game.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={device}: {str(error).splitlines()[0]}") from error


def _check(options: ProjectOptions) -> None:
    """Refuse what no search can be made of."""
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
