"""Vectors of real images, and what they know of the classes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from gan.commands.keys import dotted
from gan.commands.real_images import ImageSource
from gan.errors import InputError
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from torch import Tensor

    from gan.algorithms.latent import LatentGame
    from gan.runs.encoding import Encoding
    from gan.runs.folder import Run
    from gan.runs.real_images import RealImages

_SEARCHED = 16  # images that are projected by default


@dataclass
class EncodeOptions:
    """Settings of ``ganymede encode``.

    Attributes:
        run: the run folder.
        out: file NAME.npz to write: ``latents`` (n, dim), ``names`` of files or indices, and
            ``labels`` if there are any. NAME.json has the accuracies, NAME.png a map.
        images: folder or zip file of pictures, or one picture, cropped and resized as images for
            training.
        split: instead, a split of the run's data.
        n: images at most; by default all, and 16 of a style generator, whose styles are searched.
        map: images of the map at most; 0 draws none.
        steps: of the search for a style.
        seed: of the map, and of the search.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        data_root: where the data are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    out: str = MISSING
    images: str | None = None
    split: str | None = None
    n: int | None = None
    map: int = 2000
    steps: int = 200
    seed: int = 0
    checkpoint: str | None = None
    device: str | None = None
    data_root: str | None = dotted("data.root")
    allow_targets: list[str] = field(default_factory=list)


def encode(options: EncodeOptions) -> None:
    """Write the latents of real images, their accuracies as features, and a map of them."""
    out = Path(options.out)
    _check(options, out)
    source = ImageSource(options.images, options.split, None, options.n, options.data_root)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms.latent import LatentGame
    from gan.devices import find_device
    from gan.runs.checkpoints import load
    from gan.runs.encoding import SearchedStyles, encoding_of
    from gan.runs.folder import open_run

    run = open_run(options.run, options.allow_targets)
    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    game = game.to(find_device(options.device))
    opened = source.open(run)
    encoding = encoding_of(game, opened.read(slice(0, 1)), options.steps, options.seed)
    searched = isinstance(encoding, SearchedStyles)
    if searched and options.n is None:
        opened.names = opened.names[:_SEARCHED]
    latents = encoding.encode_all(opened)
    values: dict[str, float] = {}
    if not searched and opened.labels is not None and source.split != "train":
        values = _accuracies(run, encoding, source, latents, opened.labels)
    _write(out, game, opened, latents, values)
    if options.map and _draw_map(out, run, options, latents, opened.labels):
        print(out.with_suffix(".png"))


def _check(options: EncodeOptions, out: Path) -> None:
    """Refuse settings that are out of range."""
    if out.suffix != ".npz":
        raise InputError(f"out={options.out}: give a name that ends in .npz")
    if options.map < 0 or options.steps < 1 or options.seed < 0:
        raise InputError(
            f"map={options.map} and seed={options.seed} must be 0 or more, steps={options.steps} "
            "1 or more"
        )


def _accuracies(
    run: "Run",
    encoding: "Encoding",
    source: ImageSource,
    latents: "Tensor",
    labels: "Tensor",
) -> dict[str, float]:
    """Return the accuracies of classifiers that learn from the training split."""
    from dataclasses import replace

    from gan.metrics.probes import accuracies

    train = replace(source, split="train", n=None).open(run)
    assert train.labels is not None
    return accuracies(encoding.encode_all(train), train.labels, latents, labels)


def _write(
    out: Path, game: "LatentGame", images: "RealImages", latents: "Tensor", values: dict[str, float]
) -> None:
    """Write the arrays and the accuracies, and print where they are."""
    import numpy as np

    from gan import records
    from gan.files import replacement

    arrays: dict[str, Any] = {"latents": latents.numpy(), "names": np.array(images.names)}
    if images.labels is not None:
        arrays["labels"] = images.labels[: len(latents)].numpy()
    with replacement(out) as part, part.open("wb") as file:
        np.savez(file, **arrays)
    content = {"images": len(latents), "dim": latents.shape[1], "step": game.clock.step, **values}
    records.write(out.with_suffix(".json"), content)
    for line in (*images.found, *(f"{name}: {value:.2%}" for name, value in values.items())):
        print(line)
    print(out, out.with_suffix(".json"), sep="\n")


def _draw_map(
    out: Path, run: "Run", options: EncodeOptions, latents: "Tensor", labels: "Tensor | None"
) -> bool:
    """Write a map of the first vectors, and return whether there are enough of them."""
    from gan.metrics.plane import FEWEST, plane
    from gan.pictures import class_map, save_grid
    from gan.runs.classes import read_class_names

    count = min(options.map, len(latents))
    if count < FEWEST:
        return False
    known = None if labels is None else labels[:count]
    numbers = [] if known is None else [str(k) for k in range(int(known.max()) + 1)]
    names = read_class_names(run.path) or numbers
    save_grid(
        class_map(plane(latents[:count], options.seed), known, names), out.with_suffix(".png")
    )
    return True
