"""The nearest real images of generated ones."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan import counts
from gan.commands.generated import check_numbers, check_space, open_generated, open_space
from gan.commands.keys import dotted
from gan.commands.paths import picture_path
from gan.errors import InputError
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from gan.metrics.feature_space import FeatureSpace
    from gan.runs.generated import Generated

_UNSEEN = 1000  # images of the other split, at most


@dataclass
class NearestOptions:
    """Settings of ``ganymede nearest``.

    Attributes:
        run: the run folder.
        n: generated images, the first of the seed; none is selected.
        k: nearest real images below each.
        columns: generated images side by side.
        pixels: compare pixels instead of features.
        backbone: of the features; by default that of the run.
        weights: file of its weights.
        seed: of the samples.
        split: of the real images, "train", "test" or "validation"; all of them are searched.
        direction: of a run that translates, "ab" or "ba": held-out images of one domain become the
            other; by default "ab".
        out: PNG to write; by default ``figures/nearest.png`` in the run folder. NAME.json has the
            distances.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        data_root: where the data are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    n: int = 20
    k: int = 3
    columns: int = 10
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


def nearest(options: NearestOptions) -> None:
    """Write a grid of generated images, each above the real images that are nearest to it."""
    out = picture_path(options.run, options.out, "figures/nearest.png")
    check_numbers(options)
    check_space(options)
    if options.k < 1 or options.columns < 1:
        raise InputError(f"k={options.k} and columns={options.columns} must be 1 or more")
    check_run(options.run, options.checkpoint, options.allow_targets)
    import torch

    from gan.metrics.distances import nearest as nearest_rows
    from gan.runs.generated import real_batches, real_indices

    run, images = open_generated(options)
    indices = real_indices(images.real, options.split, None, options.seed)
    if options.k > len(indices):
        reals = counts.show(len(indices), "image")
        raise InputError(f"k={options.k}: {options.split} has {reals}: lower it")
    made = torch.cat([*images.batches(options.n)])
    space = open_space(options, run, images)
    real = space.gather(real_batches(images.real, options.split, indices))
    distances, found = nearest_rows(space.vectors(made), real, options.k)
    near = images.real.batch(options.split, found.flatten())[0].cpu()
    _save(made, near.view(*found.shape, *near.shape[1:]), options.columns, out)
    usual = _unseen_distances(options, images, space, real)
    _report(distances, found, usual, space.name, out)


def _save(made: "Tensor", near: "Tensor", columns: int, out: "Path") -> None:
    """Write the grid.

    Args:
        made: generated images (n, C, H, W).
        near: the real images of each, (n, k, C, H, W).
        columns: generated images side by side.
        out: the picture.
    """
    import torch

    from gan.pictures import picture, save_grid, stack_blocks

    both = torch.cat([made[:, None], near], 1).transpose(0, 1)
    blocks = torch.split(both, columns, dim=1)
    save_grid(picture(stack_blocks(blocks), min(columns, len(made))), out)


def _unseen_distances(
    options: NearestOptions, images: "Generated", space: "FeatureSpace", real: "Tensor"
) -> "Tensor | None":
    """Return the distances (m,) of images of the other split to their nearest, if there is one."""
    from gan.backbones.dataset import has_split
    from gan.metrics.distances import nearest as nearest_rows
    from gan.metrics.evaluation import OTHER
    from gan.runs.generated import real_batches, real_indices

    other = OTHER[options.split]
    if not has_split(images.real, other):
        return None
    indices = real_indices(images.real, other, _UNSEEN, options.seed)
    unseen = space.gather(real_batches(images.real, other, indices))
    return nearest_rows(unseen, real, 1)[0][:, 0]


def _report(
    distances: "Tensor", found: "Tensor", usual: "Tensor | None", space: str, out: "Path"
) -> None:
    """Write the distances, and print their medians."""
    from gan import records

    medians = {"generated": float(distances[:, 0].median())}
    if usual is not None:
        medians["unseen real images"] = float(usual.median())
    content = {
        "space": space,
        "medians": medians,
        "distances": distances.tolist(),
        "indices": found.tolist(),
    }
    records.write(out.with_suffix(".json"), content)
    for name, value in medians.items():
        print(f"median distance to the nearest, {name}: {value:.4g} ({space})")
    print("first row of each block: generated images; below them: the nearest real images")
    print(out, out.with_suffix(".json"), sep="\n")
