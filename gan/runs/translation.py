"""The translation that a run has learned, for pictures of any size."""

import textwrap
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan.algorithms.tiles import TiledTranslation, Translate
from gan.algorithms.translation import TranslationGame
from gan.errors import InputError
from gan.runs.checkpoints import load_game
from gan.runs.folder import Run, names_of
from gan.runs.pictures import Pictures, find_pictures
from gan.settings.trust import build

_TILE = 128  # height and width of a tile in pixels, of networks that take any


class Degrading:
    """A degradation of pictures whose sides need not suit it.

    Args:
        task: makes the sources (n, C, H / scale, W / scale) of images.
        seed: of what is random about a source.
    """

    def __init__(self, task: Any, seed: int) -> None:
        self.task, self.seed = task, seed

    def __call__(self, number: int, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return an image (C, H, W), cut to multiples of the scale, and its source.

        Args:
            number: of the image; its source depends on it and the seed alone.
            image: (C, H, W) in [-1, 1].

        Raises:
            ValueError: if the image is too small.
        """
        height, width = (self.task.scale * (side // self.task.scale) for side in image.shape[1:])
        if not height * width:
            raise InputError(f"degrade: a picture has fewer than {self.task.scale} pixels a side")
        self.task.check(len(image), min(height, width))
        image = image[:, :height, :width]
        return image, self.task(image[None], [(self.seed, number)])[0]


class RunTranslation:
    """A trained game on images, in one direction.

    Args:
        run: the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        direction: "ab" or "ba".
        device: of the game.

    Attributes:
        side: height and width of the sources in training.

    Raises:
        InputError: if the run has no such game, direction or checkpoint.
    """

    def __init__(
        self, run: Run, checkpoint: str | None, direction: str, device: torch.device
    ) -> None:
        self._config, self._allowed, self._direction = run.config, run.allow_targets, direction
        self._game = load_game(run, *names_of(checkpoint), kind=TranslationGame).to(device)
        self._game.check_direction(direction)
        self.side = self._config.data.resolution // self._game.scale

    def in_tiles(self, tile: int | None, overlap: int | None) -> Translate:
        """Return the translation of pictures of any size.

        Args:
            tile: height and width of a tile in pixels; by default those of training, and for
                convolutional networks 128 if a picture is larger than in training.
            overlap: least number of pixels that neighbours share; by default half a tile.

        Raises:
            InputError: if one is out of range, or the networks do not take such tiles.
        """
        tiled = self._tiled(self.side if tile is None else tile, overlap)
        if tile is not None or not self._game.convolutional or self.side >= _TILE:
            return tiled
        wide = self._tiled(_TILE, overlap)
        return lambda image: (tiled if max(image.shape[1:]) <= self.side else wide)(image)

    def _tiled(self, side: int, overlap: int | None) -> TiledTranslation:
        """Return the translation in tiles of a height and width, tried on a blank one."""
        shared = side // 2 if overlap is None else overlap
        tiled = TiledTranslation(self._translate, side, shared, self._game.scale)
        blank = torch.zeros(1, self._config.data.channels, side, side)
        try:
            self._translate(blank)
        except (RuntimeError, ValueError) as error:  # of layers
            reason = textwrap.shorten(str(error), 80, placeholder=" ...")
            raise InputError(
                f"tile={side}: the networks do not take it ({reason}): give {self.side}, the size "
                "of training, or a multiple"
            ) from error
        return tiled

    def _translate(self, images: Tensor) -> Tensor:
        """Return translated images."""
        return self._game.translate(images, self._direction)

    def pictures(self, path: Path, resize: bool) -> Pictures:
        """Return the pictures of a folder or a file, in the channels of the run.

        Args:
            path: a folder, a zip file or a picture.
            resize: crop and resize them as images for training.

        Raises:
            DataError: if there are none, or a file is none.
        """
        return find_pictures(self._config, path, self.side if resize else None, self._direction[0])

    def degrading(self, seed: int) -> Degrading:
        """Return the degradation that made the sources of the run.

        Raises:
            InputError: if none did.
        """
        task: DictConfig | None = OmegaConf.select(self._config, "task")
        if not task:
            raise InputError("degrade: the run has no task that degrades images: leave it out")
        return Degrading(build(task, self._allowed), seed)
