"""Generated images of a run, and the real images that they are compared with."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.translation import TranslationGame
from gan.backbones.dataset import Domain, has_split
from gan.errors import InputError
from gan.latents import keyed_generator
from gan.metrics.translations import Translations
from gan.progress import bar

BATCH = 100  # images
_REALS = (0, 7)  # last parts of the key of real images; keys of samples have no 0 there


class Generated(ABC):
    """Images that a game makes.

    Attributes:
        real: the images that they should resemble.
    """

    real: Domain

    @abstractmethod
    def images(self, indices: range) -> Tensor:
        """Return images (n, C, R, R) in [-1, 1], on the CPU; image k depends on k alone."""

    @property
    @abstractmethod
    def most(self) -> int | None:
        """Return how many there are, or ``None`` without a bound."""

    def batches(self, count: int) -> Iterator[Tensor]:
        """Yield the first images in batches (B, C, R, R), with a progress bar.

        Raises:
            InputError: if there are not so many.
        """
        if self.most is not None and count > self.most:
            raise InputError(f"n={count}: the run has {self.most} sources to translate: lower it")
        with bar("generated images", count, "img") as progress:
            for start in range(0, count, BATCH):
                images = self.images(range(start, min(start + BATCH, count)))
                yield images
                progress.update(len(images))


class Samples(Generated):
    """Samples of a game on latents, as ``ganymede sample`` draws them.

    Args:
        game: in evaluation mode.
        real: its data set.
        seed: of the samples.
    """

    most = None

    def __init__(self, game: LatentGame, real: Domain, seed: int) -> None:
        self.game, self.real, self.seed = game, real, seed

    def images(self, indices: range) -> Tensor:
        """Return samples (n, C, R, R) in [-1, 1], on the CPU."""
        return self.game.generate(self.seed, indices).float().cpu()


class Translated(Generated):
    """Translations of held-out images.

    Args:
        game: in evaluation mode.
        translations: of a direction.
    """

    def __init__(self, game: TranslationGame, translations: Translations) -> None:
        self.game, self.translations = game, translations
        self.real = translations.dataset.domains[translations.direction[1]]

    @property
    def most(self) -> int:
        """Return the number of held-out images."""
        return len(self.translations)

    def images(self, indices: range) -> Tensor:
        """Return translations (n, C, R, R) in [-1, 1], on the CPU."""
        return self.translations.translated(self.game, indices).images


@singledispatch
def generated(game: object, dataset: Any, seed: int, direction: str | None) -> Generated:
    """Return the images of a game.

    Args:
        game: in evaluation mode.
        dataset: of its run.
        seed: of samples.
        direction: of translations, "ab" or "ba"; by default "ab".

    Raises:
        InputError: if the game has no such images.
    """
    raise InputError("run: its model is no game of this project: name another run")


@generated.register
def _(game: LatentGame, dataset: Any, seed: int, direction: str | None) -> Generated:
    if direction is not None:
        raise InputError(f"direction={direction}: the run draws from latents: leave it out")
    if (dataset.channels, dataset.resolution) == (2, 1):
        raise InputError("run: it draws points, which have no pixels: name a run of images")
    return Samples(game, dataset, seed)


@generated.register
def _(game: TranslationGame, dataset: Any, seed: int, direction: str | None) -> Generated:
    chosen = direction or game.directions[0]
    game.check_direction(chosen)
    return Translated(game, Translations(dataset, chosen))


def real_indices(real: Domain, split: str, count: int | None, seed: int) -> Tensor:
    """Return the indices of real images, int64 (n,): drawn at random, or all in order.

    Args:
        real: the data set.
        split: its name.
        count: at most; ``None`` takes all.
        seed: of the choice.

    Raises:
        InputError: if there is no such split.
    """
    if not has_split(real, split):
        raise InputError(f"split={split}: {real.name} has none: give another")
    total = len(real.split(split))
    if count is None or count >= total:
        return torch.arange(total)
    return torch.randperm(total, generator=keyed_generator(seed, *_REALS))[:count]


def real_batches(real: Domain, split: str, indices: Tensor) -> Iterator[Tensor]:
    """Yield real images in batches (B, C, R, R) in [-1, 1], on the CPU, with a progress bar."""
    with bar("real images", len(indices), "img") as progress:
        for rows in torch.split(indices, BATCH):
            yield real.batch(split, rows)[0].cpu()
            progress.update(len(rows))
