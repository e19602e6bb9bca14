"""The kinds of batches that games take."""

from functools import singledispatch
from typing import Any

from gan.algorithms.latent import LatentGame
from gan.algorithms.semi_supervised import SemiSupervised
from gan.algorithms.translation import TranslationGame
from gan.errors import InputError


@singledispatch
def check_batches(game: object, data: Any) -> None:
    """Refuse data whose batches a game does not take.

    Args:
        game: that is trained.
        data: the data module.

    Raises:
        InputError: with the remedy.
    """


@check_batches.register
def _(game: LatentGame, data: Any) -> None:
    _refuse_domains(data)
    _refuse_labelled(data)


@check_batches.register
def _(game: SemiSupervised, data: Any) -> None:
    _refuse_domains(data)
    if data.labels_per_class is None:
        raise InputError(
            "data.labelled: the model learns from few labelled images of each class beside all "
            "images: set data.labelled=10, or another number"
        )


@check_batches.register
def _(game: TranslationGame, data: Any) -> None:
    _refuse_labelled(data)
    if not data.domains:
        raise InputError(
            f"data: {data.name} has one domain, and the game translates between two: set "
            "task=denoise or another, data=unpaired or data=paired"
        )
    _check_scale(game, data)


def _refuse_domains(data: Any) -> None:
    """Refuse pairs of images of two domains."""
    if data.domains:
        raise InputError(
            "data: there are pairs of images, and the game has latents: leave task= out, or choose "
            "model=pix2pix, srgan, cyclegan or cut"
        )


def _refuse_labelled(data: Any) -> None:
    """Refuse labelled images beside all images."""
    count = getattr(data, "labels_per_class", None)
    if count is not None:
        raise InputError(
            f"data.labelled={count}: the model does not learn from few labelled images: "
            "leave it out, or choose model=semi_supervised"
        )


def _check_scale(game: TranslationGame, data: Any) -> None:
    """Refuse sources of another size than those that the generator enlarges to the images."""
    height, source = data.resolution, data.domains["a"].resolution
    if source * game.scale == height:
        return
    raise InputError(
        f"task: sources have {source} pixels a side and images {height}, and the generator "
        f"enlarges {game.scale} times: choose model=srgan or pix2pix, or another task"
    )
