"""Refusals of ingredients that do not go together."""

from collections.abc import Mapping
from typing import Protocol

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.conditioning.auxiliary import ClassHead
from gan.errors import InputError
from gan.layers.equalised import EqualisedConv2d, EqualisedLinear
from gan.losses.base import AdversarialLoss
from gan.networks.base import Discriminator, Generator
from gan.regularizers.base import Regularizer


class Ingredients(Protocol):
    """What a game is made of; see :class:`~gan.algorithms.gan.GAN`."""

    generator: Generator
    discriminator: Discriminator
    loss: AdversarialLoss
    regularizers: dict[str, Regularizer]
    pack: int
    classifies: bool


def check_ingredients(game: Ingredients) -> None:
    """Refuse a game whose ingredients do not go together.

    Raises:
        InputError: with the reason and the remedy.
    """
    _check_interfaces(game)
    if game.generator.num_classes != game.discriminator.num_classes:
        raise InputError(
            f"model: the generator knows {game.generator.num_classes} labels and the "
            f"discriminator {game.discriminator.num_classes}: give both the same conditioning"
        )
    if game.loss.logits != game.discriminator.logits:
        raise InputError(
            f"loss: logits an image: the loss reads {game.loss.logits}, the discriminator gives "
            f"{game.discriminator.logits}: loss=multi_hinge and conditioning=multi_hinge need "
            "each other"
        )
    if isinstance(game.discriminator.head, ClassHead) and not game.classifies:
        raise InputError(
            "conditioning: the discriminator has a classifier that this game does not train: "
            "choose model=acgan, contragan or reacgan, or conditioning=projection"
        )
    _check_pack(game)
    for name, regularizer in game.regularizers.items():
        _check_per_sample(name, regularizer, game)
        _check_clipping(name, regularizer, game.discriminator)
        _check_selection(name, regularizer, game.loss)


def _check_interfaces(game: Ingredients) -> None:
    """Refuse networks and regularizers of a user's own that lack the interface."""
    expected: Mapping[str, tuple[object, type]] = {
        "model.generator": (game.generator, Generator),
        "model.discriminator": (game.discriminator, Discriminator),
        **{f"regularizers.{name}": (r, Regularizer) for name, r in game.regularizers.items()},
    }
    for place, (ingredient, interface) in expected.items():
        if not isinstance(ingredient, interface):
            raise InputError(
                f"{place}: {type(ingredient).__name__} is no {interface.__name__}: derive it from "
                f"{interface.__module__}.{interface.__name__}"
            )


def _check_pack(game: Ingredients) -> None:
    """Refuse packs of labelled images, whose labels may differ."""
    if game.pack < 1:
        raise InputError(f"pack={game.pack}: give a number from 1")
    if game.pack > 1 and game.generator.num_classes:
        raise InputError(
            f"pack={game.pack}: images that get one logit together may differ in their labels: "
            "set pack=1 or conditioning=none"
        )


def _check_per_sample(name: str, regularizer: Regularizer, game: Ingredients) -> None:
    """Refuse a regularizer of each image's logit where a logit depends on other images."""
    if not regularizer.per_sample:
        return
    alone = f"regularizers.{name} needs a logit that depends on its own image alone, but "
    if any(isinstance(module, _BatchNorm) for module in game.discriminator.modules()):
        raise InputError(
            f"{alone}the discriminator has batch normalisation: set critic_norm=none, instance "
            "or layer"
        )
    if game.discriminator.minibatch.compares:
        raise InputError(f"{alone}minibatch compares it with others: set minibatch=none")
    if game.pack > 1:
        raise InputError(f"{alone}pack={game.pack} gives several images one logit: set pack=1")


def _check_clipping(name: str, regularizer: Regularizer, discriminator: nn.Module) -> None:
    """Refuse bounds on weights that are stored at another scale."""
    equalised = (EqualisedLinear, EqualisedConv2d)
    if regularizer.clips and any(isinstance(m, equalised) for m in discriminator.modules()):
        raise InputError(
            f"regularizers.{name} bounds weights near 0, but the discriminator has equalised "
            "weights of size 1: choose loss=wgan_gp"
        )


def _check_selection(name: str, regularizer: Regularizer, loss: AdversarialLoss) -> None:
    """Refuse a choice among the fakes where the loss compares fakes and reals in pairs."""
    if regularizer.selective and loss.paired:
        raise InputError(
            f"regularizers.{name} leaves fakes out, but the loss compares images in pairs: "
            f"choose loss=rasgan or another, or leave {name} out"
        )
