"""What each player is given and what is logged, of every model."""

import functools
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan import latents
from gan.algorithms.bigan import BiGAN
from gan.algorithms.cut import _FLIPS
from gan.algorithms.gan import GAN
from gan.algorithms.latent import LatentGame
from gan.algorithms.pix2pix import Pix2Pix
from gan.algorithms.player import Player
from gan.algorithms.two_player import Terms, TwoPlayerGame
from gan.algorithms.unrolled import UnrolledGAN
from gan.augment.base import Augmentation
from gan.latents import keyed_seed
from gan.losses.base import AdversarialLoss
from gan.losses.least_squares import LeastSquares
from gan.losses.own import OwnLoss
from gan.losses.relativistic import RelativisticAverage, RelativisticPairing
from gan.networks.base import Discriminator
from gan.regularizers.base import (
    DiscriminatorOutputs,
    GeneratorOutputs,
    Networks,
    Regularizer,
)
from tests.configs import options, thinned
from tests.golden import formula, values

AUGMENTED, SUBSTITUTED = range(2)  # numbers of an image that marks are left in
MARK = 7.0
REAL = 400.0  # in the middle of real images; what a network makes is far from it


def mark(images: Tensor, place: int) -> Tensor:
    """Return images, or pairs of image and latent, with a mark that no network makes."""
    flat = images.flatten(1).clone()
    flat[:, place] = MARK
    return flat.view_as(images)


def marked(images: Tensor, place: int) -> bool:
    """Return whether all images have a mark."""
    return bool((images.flatten(1)[:, place] == MARK).all())


class Marking(Augmentation):
    """An augmentation that leaves marks, and keeps what it is told."""

    told: list[Tensor]

    def forward(self, images: Tensor) -> Tensor:
        return mark(images, AUGMENTED)

    def substitute_reals(self, real: Tensor, fake: Tensor) -> Tensor:
        return mark(real, SUBSTITUTED)

    def observe(self, real_logits: Tensor) -> None:
        self.told = [*getattr(self, "told", []), real_logits]

    def readings(self) -> dict[str, Tensor]:
        return {"augment/told": self.told[-1].mean()}


class Spy(OwnLoss):
    """A loss that keeps the fake and real logits that it is given."""

    def __init__(self, loss: AdversarialLoss) -> None:
        super().__init__(loss)
        self.given: list[tuple[Tensor, Tensor | None]] = []

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        self.given.append((fake_logits, real_logits))
        return self.loss.discriminator(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        self.given.append((fake_logits, real_logits))
        return self.loss.generator(fake_logits, real_logits)

    def joint(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        self.given.append((fake_logits, real_logits))
        return self.loss.joint(fake_logits, real_logits)


@dataclass
class Record:
    """What happens in the steps of a game.

    Attributes:
        game: whose augmentations and loss are replaced by ones that take notes.
        spy: its loss.
        markings: its augmentations.
        player: that is updated at the moment, or "".
        seen: images that a discriminator was given, by the player that was updated.
        labels: that a network was given in an update, each with those of its batch.
        terms: of each player's last update.
        logits: fake and real ones that the last update of each player passed to the loss.
        gradients: norm of the gradient that each player's optimizer applied last.
        rates: learning rate with which it did so.
        keys: of random draws, in the order of the draws.
    """

    game: TwoPlayerGame[Any]
    spy: Spy
    markings: list[Marking] = field(default_factory=list)
    player: str = ""
    seen: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    labels: list[tuple[Tensor | None, Tensor | None]] = field(default_factory=list)
    terms: dict[str, Terms] = field(default_factory=dict)
    logits: dict[str, list[tuple[Tensor, Tensor | None]]] = field(default_factory=dict)
    gradients: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    keys: list[tuple[int, ...]] = field(default_factory=list)

    def watch(self) -> None:
        """Let the parts of the game note what they are given."""
        game: Any = self.game
        game.loss = self.spy
        if isinstance(game, GAN):
            game.augment = self._marking()
        for critic in getattr(game, "critics", []):
            if not isinstance(game, Pix2Pix):  # which refuses to augment
                object.__setattr__(critic, "augment", self._marking())
        for module in game.modules():
            if isinstance(module, Discriminator):
                module.features = self._features(module.features)  # type: ignore[method-assign]
                module.score = self._labelled(module.score)  # type: ignore[method-assign]
        if isinstance(game, LatentGame):
            game.generator.forward = self._labelled(game.generator.forward)  # type: ignore[method-assign]
        for name in ("make_batch", "backpropagate", "configure_optimizers", "updating"):
            setattr(game, name, getattr(self, f"_{name}")(getattr(game, name)))

    def note_key(self, *key: int) -> int:
        """Note the key of a random generator and return its seed."""
        self.keys.append(key)
        return keyed_seed(*key)

    def _marking(self) -> Marking:
        self.markings.append(Marking())
        return self.markings[-1]

    def _features(self, function: Any) -> Any:
        def noted(x: Tensor) -> Tensor:
            if self.player:
                self.seen[self.player].append(x.detach())
            features: Tensor = function(x)
            return features

        return noted

    def _labelled(self, function: Any) -> Any:
        def noted(x: Tensor, y: Tensor | None = None) -> Tensor:
            if self.player:
                self.labels.append((y, self.batch.labels))
            out: Tensor = function(x, y)
            return out

        return noted

    def _make_batch(self, function: Any) -> Any:
        def noted(given: Any, turn: int) -> Any:
            if isinstance(self.game, Pix2Pix):  # whose sources D is given with fakes, too
                given = (given[0], marked_images(given[1]))
            else:
                given = marked_images(given)
            self.batch = function(given, turn)
            return self.batch

        return noted

    def _updating(self, function: Any) -> Any:
        @contextmanager
        def noted(player: Player) -> Iterator[None]:
            self.player = player.name
            with function(player):
                yield
            self.player = ""

        return noted

    def _backpropagate(self, function: Any) -> Any:
        def noted(terms: Terms) -> None:
            self.terms[self.player] = terms
            self.logits[self.player], self.spy.given = self.spy.given, []
            function(terms)

        return noted

    def _configure_optimizers(self, function: Any) -> Any:
        def noted() -> list[Optimizer]:
            optimizers: list[Optimizer] = function()
            for player, optimizer in zip(self.game.players, optimizers, strict=True):
                optimizer.register_step_pre_hook(partial(self._step, player.name))
            return optimizers

        return noted

    def _step(self, name: str, optimizer: Optimizer, *_: Any) -> None:
        group = optimizer.param_groups[0]
        gradients = [p.grad for p in group["params"] if p.grad is not None]
        self.gradients[name] = math.sqrt(sum(float(g.square().sum()) for g in gradients))
        self.rates[name] = group["lr"]


def marked_images(given: Any) -> Any:
    """Return what a data module gives, with a mark on all images."""
    if isinstance(given, Tensor) and given.dim() == 4:
        given = given.clone()
        given[:, 0, given.shape[2] // 2, given.shape[3] // 2] = REAL
        return given
    return tuple(map(marked_images, given)) if isinstance(given, tuple) else given


def played(name: str, loss: AdversarialLoss | None = None) -> Record:
    """Return what happened in two steps of a case, perhaps with another loss."""
    game, data = values.prepared(name)
    own: Any = game.loss
    record = Record(game, Spy(loss or own))
    record.watch()
    with formula.fixed_draws(), patch.object(latents, "keyed_seed", record.note_key):
        values.train(game, data)
    return record


recipe = functools.cache(played)
MODELS = [f"model/{name}" for name in options("model") if name != "vae"]  # which has no judge
PENALTIES = [f"regularizers/{name}" for name in options("regularizers")]
EVERY = pytest.mark.parametrize("name", thinned([*MODELS, *PENALTIES], keep=4))
# beside the relativistic losses: these compare features of reals, or judge what they encode
JUDGE_REALS = {"semi_supervised", "semi_supervised_cnn", "bigan", "ali", "vaegan"}
JUDGE_REALS |= {"feature_matching", "unrolled"}


@EVERY
def test_every_image_that_a_discriminator_is_given_is_augmented(name: str) -> None:
    record = recipe(name)
    if record.markings:
        assert all(marked(x, AUGMENTED) for seen in record.seen.values() for x in seen)


@EVERY
def test_reals_and_fakes_are_judged_in_the_turn_of_each_player(name: str) -> None:
    record = recipe(name)
    own, others = record.seen["discriminator"], record.seen["generator"]
    assert {shows_reals(x) for x in own} == {True, False}
    assert not all(shows_reals(x) for x in others)
    if name.rpartition("/")[2] not in JUDGE_REALS:
        assert any(shows_reals(x) for x in others) == record.spy.relativistic
    if record.markings:  # the reals of the adversarial term may be substituted, in D's turn alone
        assert marked(own[0], SUBSTITUTED)
        unrolls = isinstance(record.game, UnrolledGAN)  # D within the turn of G
        assert any(marked(x, SUBSTITUTED) for x in others) == unrolls


def shows_reals(images: Tensor) -> bool:
    """Return whether there are real images, perhaps rotated or mixed with fakes."""
    return bool((images > REAL / 4).any())


@EVERY
def test_networks_get_the_labels_of_their_batch(name: str) -> None:
    record = recipe(name)
    if isinstance(record.game, LatentGame):
        assert record.labels
        for given, own in record.labels:
            assert (given is None) == (own is None)
            assert given is None or own is None or torch.equal(given, own[: len(given)])


@pytest.mark.parametrize("name", ["model/bigan", *thinned(MODELS, keep=4)])
def test_each_draw_has_a_key_of_its_own(name: str) -> None:
    """Keys that differ in zeros at their end give the same numbers; a batch may be made twice."""
    record = recipe(name)
    flips = [key[2:] == _FLIPS for key in record.keys]  # one draw a step, read in each pass
    keys = [k for n, k in enumerate(record.keys) if not flips[n] or k not in record.keys[:n]]
    plain = [k for k, _ in groupby(" ".join(map(str, key)).rstrip("0 ") for key in keys)]
    assert len(plain) >= values.STEPS * (record.game.n_critic + 1)
    assert len(plain) == len(set(plain)), record.keys
    assert {key[0] for key in record.keys} == {record.game.seed}


@EVERY
def test_readings_are_what_their_names_say(name: str) -> None:
    record = recipe(name)
    readings = {key: float(value) for key, value in record.game.readings.items()}
    expected = {
        f"{player}/{term}": float(value.detach())
        for player, terms in record.terms.items()
        for term, value in terms.items()
    }
    for player in record.terms:
        expected[f"gradient_norm/{player}"] = record.gradients[player]
        expected[f"lr/{player}"] = record.rates[player]
    suffixes = [critic.suffix for critic in getattr(record.game, "critics", [])] or [""]
    for suffix, (fake, real) in zip(suffixes, record.logits["discriminator"], strict=False):
        assert real is not None
        expected[f"logits/real{suffix}"] = float(real.detach().mean())
        expected[f"logits/fake{suffix}"] = float(fake.detach().mean())
    for suffix, marking in zip(suffixes, record.markings, strict=False):
        expected[f"augment/told{suffix}"] = float(marking.told[-1].mean())
    clipped = {key for key in readings if key.startswith("nan_to_num/")}
    assert readings.keys() - clipped == expected.keys()
    for key, value in expected.items():
        assert readings[key] == pytest.approx(value, rel=1e-9, abs=1e-12), key


@EVERY
def test_augmentations_observe_the_real_logits_of_every_update(name: str) -> None:
    record = recipe(name)
    for marking, (_, real) in zip(
        record.markings, record.logits["discriminator"], strict=len(record.markings) > 1
    ):
        assert real is not None
        assert torch.equal(marking.told[-1], real.detach())
        assert len(marking.told) == values.STEPS * record.game.n_critic


LOSSES = {"rpgan": RelativisticPairing(), "rasgan": RelativisticAverage(), "lsgan": LeastSquares()}


@pytest.mark.parametrize(
    ("name", "loss"), thinned([(m, loss) for m in MODELS for loss in LOSSES], keep=7)
)
def test_gradients_flow_through_the_logits_that_a_player_can_change(name: str, loss: str) -> None:
    record = played(name, LOSSES[loss])
    for fake, real in record.logits["discriminator"]:
        assert real is not None
        assert fake.requires_grad
        assert real.requires_grad
    encodes = isinstance(record.game, BiGAN)  # E makes the real pairs
    unrolled = isinstance(record.game, UnrolledGAN)  # asks D's loss before that of G
    for fake, real in record.logits["generator"][-1 if unrolled else 0 :]:
        assert fake.requires_grad
        assert (real is not None) == (LOSSES[loss].relativistic or encodes)
        assert real is None or real.requires_grad == encodes


class Noting(Regularizer):
    """A regularizer of every second update that notes when it is asked."""

    def __init__(self, game: TwoPlayerGame[Any]) -> None:
        super().__init__(every=2)
        self.game, self.notes = [game], list[tuple[str, int, int]]()  # no submodule

    def _note(self, what: str) -> None:
        (game,) = self.game
        self.notes.append((what, game.clock.step, game.turn))

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> None:
        self._note("penalty")

    def generator_penalty(self, out: GeneratorOutputs, networks: Networks) -> None:
        self._note("generator_penalty")

    def select(self, fake_logits: Tensor, images: int) -> Tensor:
        self._note("select")
        assert images == self.game[0].clock.images
        return fake_logits

    def project(self, discriminator: nn.Module) -> None:
        self._note("project")


@pytest.mark.parametrize("name", thinned(MODELS, keep=4))
def test_regularizers_are_asked_in_every_nth_update_of_their_player(name: str) -> None:
    game: Any
    game, data = values.prepared(name, "n_critic=3")
    holders = getattr(game, "critics", None) or [game]
    own = [Noting(game) for _ in holders]
    for holder, noting in zip(holders, own, strict=True):
        holder.regularizers["noting"] = noting
    with formula.fixed_draws():
        values.train(game, data)
    for noting in own:
        when = defaultdict(list)
        for what, step, turn in noting.notes:
            when[what].append((step, turn))
        assert when["penalty"] == when["project"] == [(0, 0), (0, 2), (1, 1)]
        assert when["select"] == when["generator_penalty"] == [(0, 2)]
