"""Refusals of ingredients that do not go together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.augment.base import Augmentation
from gan.conditioning.auxiliary import ClassHead
from gan.errors import InputError
from gan.latents import Gaussian, Prior
from gan.layers.equalised import EqualisedConv2d, EqualisedLinear
from gan.layers.weight_norm import WeightNorm
from gan.losses.base import AdversarialLoss
from gan.losses.own import with_defaults
from gan.networks.base import Discriminator, Generator
from gan.regularizers.base import Regularizer

if TYPE_CHECKING:
    from gan.algorithms.critic import Critic
    from gan.algorithms.two_player import TwoPlayerGame


class Ingredients(Protocol):
    """What a game is made of; see :class:`~gan.algorithms.gan.GAN`."""

    generator: Generator
    discriminator: Discriminator
    loss: AdversarialLoss
    regularizers: dict[str, Regularizer]
    pack: int
    classifies: bool
    needs_adversary: bool


def check_ingredients(game: Ingredients) -> None:
    """Refuse a game whose ingredients do not go together.

    Raises:
        InputError: with the reason and the remedy.
    """
    _check_interfaces(
        {
            "model.generator": (game.generator, Generator),
            "model.discriminator": (game.discriminator, Discriminator),
        },
        game.regularizers,
    )
    _check_labels(game)
    if not game.loss.adversarial and game.needs_adversary:
        raise InputError(
            "loss=none: the generator of latents learns from the adversarial loss: choose another "
            "loss, or model=semi_supervised, pix2pix, srgan, cyclegan or cut"
        )
    _check_logits(game.loss, game.discriminator)
    _check_pack(game)
    _check_regularizers(game.regularizers, game.discriminator, game.loss, game.pack)


def check_critic(critic: "Critic", loss: AdversarialLoss) -> None:
    """Refuse a discriminator of images, its regularizers and a loss that do not go together.

    Raises:
        InputError: with the reason and the remedy.
    """
    networks = {"model.discriminator": (critic.network, Discriminator)}
    _check_interfaces(networks, critic.regularizers)
    _check_training(critic, loss)
    _check_logits(loss, critic.network)
    for name, regularizer in critic.regularizers.items():
        if regularizer.needs_latents:
            raise InputError(
                f"regularizers.{name} changes latents, and this game has none: leave {name} out"
            )
    _check_regularizers(critic.regularizers, critic.network, loss)


def _check_training(critic: "Critic", loss: AdversarialLoss) -> None:
    """Refuse what a discriminator is given that is not trained."""
    if loss.adversarial:
        return
    for name in critic.regularizers:
        raise InputError(
            f"regularizers.{name}: no discriminator is trained with loss=none: leave {name} out, "
            "or choose another loss"
        )
    if type(critic.augment) is not Augmentation:
        raise InputError(
            "augment: no discriminator is trained with loss=none: set augment=none, or choose "
            "another loss"
        )


def _check_labels(game: Ingredients) -> None:
    """Refuse players that know different labels, and a classifier that is not trained."""
    if game.generator.num_classes != game.discriminator.num_classes:
        raise InputError(
            f"model: the generator knows {game.generator.num_classes} labels and the "
            f"discriminator {game.discriminator.num_classes}: give both the same conditioning"
        )
    if isinstance(game.discriminator.head, ClassHead) and not game.classifies:
        raise InputError(
            "conditioning: the discriminator has a classifier that this game does not train: "
            "choose model=acgan, contragan or reacgan, or conditioning=projection"
        )


def check_alone(
    game: "TwoPlayerGame",
    loss: AdversarialLoss | None,
    regularizers: Mapping[str, Regularizer],
    augment: Augmentation | None,
    pack: int,
) -> None:
    """Refuse ingredients of games with a discriminator for a game without.

    Raises:
        InputError: with the reason and the remedy.
    """
    reason = "the model has no discriminator"
    if loss is not None and with_defaults(loss).adversarial:
        raise InputError(f"loss: {reason} and no adversarial loss: leave loss out")
    if regularizers:
        names = ",".join(regularizers)
        raise InputError(
            f"regularizers=[{names}]: {reason} and no adversarial loss to add terms to: leave them "
            "out"
        )
    if augment is not None and type(augment) is not Augmentation:
        raise InputError(f"augment: {reason}, whose input it changes: leave augment out")
    if pack != 1:
        raise InputError(f"pack={pack}: {reason} to judge images together: leave pack out")
    if game.n_critic != 1:
        raise InputError(f"n_critic={game.n_critic}: {reason}: leave n_critic out")


def check_beta(beta: float, prior: Prior) -> None:
    """Refuse a negative weight of the KL, and a prior that it is not computed for.

    Raises:
        InputError: with the reason and the remedy.
    """
    if beta < 0:
        raise InputError(f"model.beta={beta}: give a number from 0")
    if not isinstance(prior, Gaussian):
        raise InputError(
            f"prior: the KL is that to a standard normal distribution, not {type(prior).__name__}: "
            "set prior=gaussian"
        )


def _check_logits(loss: AdversarialLoss, discriminator: Discriminator) -> None:
    """Refuse a loss of another number of logits."""
    if loss.logits != discriminator.logits:
        raise InputError(
            f"loss: logits an image: the loss reads {loss.logits}, the discriminator gives "
            f"{discriminator.logits}: loss=multi_hinge and conditioning=multi_hinge need "
            "each other"
        )


def _check_regularizers(
    regularizers: Mapping[str, Regularizer],
    discriminator: Discriminator,
    loss: AdversarialLoss,
    pack: int = 1,
) -> None:
    """Refuse regularizers that do not go with discriminator, loss or packing."""
    for name, regularizer in regularizers.items():
        _check_per_sample(name, regularizer, discriminator, pack)
        _check_clipping(name, regularizer, discriminator)
        _check_selection(name, regularizer, loss)


def _check_interfaces(
    networks: Mapping[str, tuple[object, type]], regularizers: Mapping[str, Regularizer]
) -> None:
    """Refuse networks and regularizers of a user's own that lack the interface."""
    own = {f"regularizers.{name}": (r, Regularizer) for name, r in regularizers.items()}
    for place, (ingredient, interface) in {**networks, **own}.items():
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


def _check_per_sample(
    name: str, regularizer: Regularizer, discriminator: Discriminator, pack: int
) -> None:
    """Refuse a regularizer of each image's logit where a logit depends on other images."""
    if not regularizer.per_sample:
        return
    alone = f"regularizers.{name} needs a logit that depends on its own image alone, but "
    if any(isinstance(module, _BatchNorm) for module in discriminator.modules()):
        raise InputError(
            f"{alone}the discriminator has batch normalisation: set critic_norm=none, instance "
            "or layer"
        )
    if discriminator.minibatch.compares:
        raise InputError(f"{alone}minibatch compares it with others: set minibatch=none")
    if pack > 1:
        raise InputError(f"{alone}pack={pack} gives several images one logit: set pack=1")


def _check_clipping(name: str, regularizer: Regularizer, discriminator: nn.Module) -> None:
    """Refuse bounds on weights that are stored at another scale."""
    kinds: dict[tuple[type, ...], str] = {
        (EqualisedLinear, EqualisedConv2d): "equalised weights of size 1",
        (WeightNorm,): "normalised weights, whose size is another parameter",
    }
    for layers, weights in kinds.items():
        if regularizer.clips and any(isinstance(m, layers) for m in discriminator.modules()):
            raise InputError(
                f"regularizers.{name} bounds weights near 0, but the discriminator has {weights}: "
                "choose loss=wgan_gp"
            )


def _check_selection(name: str, regularizer: Regularizer, loss: AdversarialLoss) -> None:
    """Refuse a choice among the fakes where the loss compares fakes and reals in pairs."""
    if regularizer.selective and loss.paired:
        raise InputError(
            f"regularizers.{name} leaves fakes out, but the loss compares images in pairs: "
            f"choose loss=rasgan or another, or leave {name} out"
        )
