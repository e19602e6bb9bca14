"""Images to reconstruct: of a file, or of the test split of a run, with the known pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.algorithms.class_names import Label
from gan.algorithms.latent import LatentGame
from gan.algorithms.reconstruction import Problem
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.pictures import read_picture
from gan.runs.folder import Run


@dataclass(frozen=True)
class Source:
    """Where an image and its known pixels are read from.

    Attributes:
        image: picture of the size that the run draws.
        index: instead, the number of an image of the run's test split.
        mask: picture that is white at known pixels.
        hole: instead, the unknown pixels: [top, left, height, width].
        data_root: where the data of the run are now; ``None`` is where they were.
    """

    image: str | None = None
    index: int | None = None
    mask: str | None = None
    hole: Sequence[int] | None = None
    data_root: str | None = None

    def read(self, run: Run, shape: torch.Size) -> tuple[Tensor, int | None]:
        """Return the image (1, C, H, W) in [-1, 1], and its label if it is known.

        Args:
            run: whose test split is read.
            shape: expected, (C, H, W).

        Raises:
            InputError: if it cannot be read, or is of another size.
        """
        if self.image is not None:
            return read_picture("image", self.image, shape), None
        dataset: ImageDataset = run.data(self.data_root)
        split, index = dataset.split("test"), self.index
        assert index is not None
        if not 0 <= index < len(split):
            last = len(split) - 1
            raise InputError(f"index={index}: the test images of {dataset.name} are 0..{last}")
        image = split.images(torch.tensor([index])).cpu() / 127.5 - 1
        return image, None if split.labels is None else int(split.labels[index])

    def known(self, shape: torch.Size) -> Tensor:
        """Return 1 at known pixels and 0 at unknown ones, (1, 1, H, W).

        Raises:
            InputError: if the mask cannot be read, the hole leaves the image, or nothing is known.
        """
        _, height, width = shape
        known = torch.ones(1, 1, height, width)
        if self.mask is not None:
            levels = read_picture("mask", self.mask, torch.Size((1, height, width)))
            known = (levels > 0).float()
        elif self.hole is not None:
            top, left, *size = self.hole
            bottom, right = top + size[0], left + size[1]
            if not (0 <= top < bottom <= height and 0 <= left < right <= width):
                raise InputError(
                    f"hole={list(self.hole)}: give [top,left,height,width] within {height}x{width}"
                )
            known[:, :, top:bottom, left:right] = 0
        if not known.any():
            raise InputError("mask or hole: it leaves no pixel: white is what is known")
        return known


def _labels(run: Run, game: LatentGame, given: Label | None, own: int | None) -> Tensor | None:
    """Return the label (1,) on the game's device, by default that of the image.

    Raises:
        InputError: if a conditional game has none, or the label is impossible.
    """
    label = own if given is None and game.generator.num_classes else given
    if label is None and game.generator.num_classes:
        raise InputError(f"label: the model of {run.path} knows classes: add label=K")
    y = game.labels_for(1, None if label is None else [label])
    return None if y is None else y.to(game.device)


def read_problem(
    run: Run,
    game: LatentGame,
    source: Source,
    noise: float = 0.0,
    corrupt: bool = False,
    label: Label | None = None,
    seed: int = 0,
) -> tuple[Problem, Tensor | None]:
    """Return an image with its observation, and the label (1,) of a conditional game.

    Args:
        run: of the game.
        game: in evaluation mode.
        source: of the image and its known pixels.
        noise: standard deviation of the noise of a pixel.
        corrupt: add the noise; otherwise the image has it already.
        label: name or number of the class of the image; by default that of the test split.
        seed: of the noise that is added.

    Raises:
        InputError: if image, mask, hole or label cannot be read, or do not fit the run.
    """
    shape = game.sample(1).shape[1:]
    if shape == (2, 1, 1):
        raise InputError(f"run={run.path}: it draws points, which no image is projected to")
    image, own = source.read(run, shape)
    y = _labels(run, game, label, own)
    image, known = (part.to(game.device) for part in (image, source.known(shape)))
    return Problem.of(image, known, noise, corrupt, seed), y
