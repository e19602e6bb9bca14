"""A map of real and generated images in the plane."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan.commands.generated import check_numbers, check_space, open_generated, open_space
from gan.commands.keys import dotted
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from torch import Tensor

_FEWEST = 3  # images of either kind


@dataclass
class EmbedOptions:
    """Settings of ``ganymede embed``.

    Attributes:
        run: the run folder.
        n: images of either kind, at most.
        linear: the first two principal components; otherwise t-SNE, which keeps neighbours and not
            distances.
        pixels: map pixels instead of features.
        backbone: of the features; by default that of the run.
        weights: file of its weights.
        seed: of the samples, of the choice of real images, and of t-SNE.
        split: of the real images, "train", "test" or "validation".
        direction: of a run that translates, "ab" or "ba": held-out images of one domain become the
            other; by default "ab".
        out: PNG to write; by default ``figures/embedding.png`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        data_root: where the data are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    n: int = 500
    linear: bool = False
    pixels: bool = False
    backbone: str | None = None
    weights: str | None = None
    seed: int = 0
    split: str = "train"
    direction: str | None = None
    out: str | None = None
    checkpoint: str | None = None
    device: str | None = None
    data_root: str | None = dotted("data.root")
    allow_targets: list[str] = field(default_factory=list)


def embed(options: EmbedOptions) -> None:
    """Write a map of features of real and generated images in the plane (t-SNE or PCA)."""
    out = picture_path(options.run, options.out, "figures/embedding.png")
    check_numbers(options)
    check_space(options)
    if options.n < _FEWEST:
        raise InputError(f"n={options.n}: a map needs {_FEWEST} images of either kind")
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.pictures import class_map, save_grid
    from gan.runs.generated import real_batches, real_indices

    run, images = open_generated(options)
    indices = real_indices(images.real, options.split, options.n, options.seed)
    count = min(options.n, images.most or options.n)
    space = open_space(options, run, images)
    real = space.gather(real_batches(images.real, options.split, indices))
    made = space.gather(images.batches(count))
    points, labels = _mixed(_plane(options, real, made), len(real), options.seed)
    save_grid(class_map(points, labels, ["real", "generated"]), out)
    print(f"{len(real)} real and {len(made)} generated images, {space.name}", out, sep="\n")


def _plane(options: EmbedOptions, real: "Tensor", made: "Tensor") -> "Tensor":
    """Return the points (n, 2) of the vectors of both kinds."""
    import torch

    from gan.metrics.plane import plane, principal_plane

    both = torch.cat([real, made])
    return principal_plane(both) if options.linear else plane(both, options.seed)


def _mixed(points: "Tensor", real: int, seed: int) -> "tuple[Tensor, Tensor]":
    """Return points and their kinds, 0 and 1, in random order, so that none covers the other."""
    import torch

    from gan.latents import keyed_generator

    order = torch.randperm(len(points), generator=keyed_generator(seed))
    return points[order], (order >= real).long()
