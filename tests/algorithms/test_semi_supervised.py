"""Salimans et al., 2016: K + 1 classes with the last logit 0, and feature matching."""

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.semi_supervised import FewLabelsBatch, SemiSupervised
from gan.averaging import ExponentialAverage
from gan.conditioning.base import Unconditional
from gan.conditioning.log_sum_exp import LogSumExpHead
from gan.conditioning.projection import Projection
from gan.errors import InputError
from gan.latents import Uniform
from gan.losses.hinge import Hinge
from gan.losses.logistic import NonSaturating
from gan.losses.none import NoLoss
from gan.networks.mlp import MLPDiscriminator
from gan.networks.semi_supervised import NoisyClassifier, SoftplusGenerator
from gan.regularizers.weight_clip import WeightClip
from tests.play import trainer

K = 3


def discriminator(noise: float = 0.0) -> NoisyClassifier:
    return NoisyClassifier(1, 8, K, units=(16, 8), input_noise=noise, noise=noise)


def game(
    loss: Any = None, noise: float = 0.0, rate: float = 0.1, **settings: Any
) -> SemiSupervised:
    torch.manual_seed(0)
    sgd = partial(torch.optim.SGD, lr=rate)
    given: dict[str, Any] = {"classifier_averaging": ExponentialAverage(half_life=20, ramp=None)}
    return SemiSupervised(
        SoftplusGenerator(4, 1, 8, Unconditional(), hidden=(16,)),
        discriminator(noise),
        loss=loss or NonSaturating(),
        prior=Uniform(4),
        optimizer={"generator": sgd, "discriminator": sgd},
        **(given | settings),
    )


def batch() -> FewLabelsBatch:
    random = torch.Generator().manual_seed(1)
    real, labelled = (torch.rand(6, 1, 8, 8, generator=random) * 2 - 1 for _ in range(2))
    classes = torch.tensor([0, 1, 2, 0, 1, 2])
    z = torch.rand(6, 4, generator=random)
    return FewLabelsBatch(real, None, z, torch.rand(6), labelled, classes)


def probabilities(players: SemiSupervised, images: Tensor) -> Tensor:
    """Return those of the K classes and of "fake", by hand."""
    head = players.discriminator.head
    assert isinstance(head, LogSumExpHead)
    odds = head.classify(players.discriminator.features(images)).exp()
    odds = torch.cat([odds, torch.ones(len(images), 1)], 1)
    return odds / odds.sum(1, keepdim=True)


def test_the_losses_are_those_of_k_plus_one_classes() -> None:
    players, dealt = game(), batch()
    fakes = players.generator(dealt.z)
    not_fake = (1 - probabilities(players, dealt.real)[:, K]).log().mean()
    fake = probabilities(players, fakes)[:, K].log().mean()
    among = probabilities(players, dealt.labelled)[:, :K]
    right = among[torch.arange(6), dealt.classes] / among.sum(1)
    terms = players.discriminator_loss(dealt)
    assert set(terms) == {"adversarial", "class"}
    expected = -0.5 * (not_fake + fake).item()
    assert terms["adversarial"].item() == pytest.approx(expected, rel=1e-5)
    assert terms["class"].item() == pytest.approx(-right.log().mean().item(), rel=1e-5)


@pytest.mark.parametrize("matching", [nn.MSELoss(), nn.L1Loss()])
def test_the_generator_matches_mean_features(matching: nn.Module) -> None:
    players, dealt = game(matching=matching), batch()
    features = players.discriminator.features
    gap = features(players.generator(dealt.z)).mean(0) - features(dealt.real).mean(0)
    expected = gap.square().mean() if isinstance(matching, nn.MSELoss) else gap.abs().mean()
    terms = players.generator_loss(dealt)
    assert set(terms) == {"feature_matching"}
    assert terms["feature_matching"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_other_losses_judge_the_same_logit() -> None:
    players, dealt = game(Hinge(), adversarial=0.3), batch()
    real = players.discriminator(dealt.real)
    fake = players.discriminator(players.generator(dealt.z))
    expected = 0.5 * ((1 - real).relu().mean() + (1 + fake).relu().mean())
    terms = players.discriminator_loss(dealt)
    assert terms["adversarial"].item() == pytest.approx(expected.item(), rel=1e-5)
    told = players.generator_loss(dealt)
    assert told["adversarial"].item() == pytest.approx(-0.3 * fake.mean().item(), rel=1e-5)


class Pairs:
    """Steps of few labelled images beside all images; with ``broken``, those are not numbers."""

    def __init__(self, steps: int, broken: bool = False) -> None:
        self.steps, self.broken = steps, broken

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Any]]:
        dealt = batch()
        every = dealt.real * float("nan") if self.broken else dealt.real
        for _ in range(self.steps):
            yield [((dealt.labelled, dealt.classes), (every, torch.full((6,), 99)))]


def state(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


def test_without_a_loss_only_the_labelled_images_count_and_g_stands_still() -> None:
    players = game(NoLoss())
    before, first = state(players.generator), state(players.discriminator)
    trainer().fit(players, Pairs(3, broken=True))
    assert equal(before, players.generator.state_dict())
    assert not equal(first, players.discriminator.state_dict())
    assert players.is_finite()
    assert set(players.readings) >= {"discriminator/class"}
    assert "discriminator/adversarial" not in players.readings


def test_the_baseline_learns_the_labelled_images() -> None:
    players = game(NoLoss(), classifier_averaging=None)
    trainer().fit(players, Pairs(60))
    dealt = batch()
    assert torch.equal(players.classify(dealt.labelled).argmax(1), dealt.classes)


@pytest.mark.parametrize("turn", ["discriminator", "generator"])
def test_a_turn_changes_its_player_alone(turn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    players = game()
    still = "generator" if turn == "discriminator" else "discriminator"
    objective, zero = f"{still}_loss", {"none": torch.zeros((), requires_grad=True)}
    monkeypatch.setattr(players, objective, lambda _: zero)
    monkeypatch.setattr(players, "_initialize", lambda _: None)
    networks = {name: getattr(players, name) for name in (turn, still)}
    before = {name: state(network) for name, network in networks.items()}
    trainer().fit(players, Pairs(1))
    weights = {
        name: {key: dict(network.state_dict())[key] for key, _ in network.named_parameters()}
        for name, network in networks.items()
    }
    assert equal(weights[still], before[still])
    assert not equal(weights[turn], before[turn])


def test_the_average_of_d_classifies() -> None:
    players = game(noise=0.5)
    trainer().fit(players, Pairs(4))
    images = batch().labelled
    assert not equal(state(players.classifier), state(players.discriminator))
    logits = players.classify(images)
    assert logits.shape == (6, K)
    assert torch.equal(logits, players.classify(images))  # without noise
    torch.testing.assert_close(
        logits, players.classifier.head.linear(players.classifier.eval().features(images))
    )


def test_the_average_is_that_of_all_steps() -> None:
    players = game(rate=0.5)
    trainer().fit(players, Pairs(1))
    one, two = game(rate=0.5), state(players.discriminator)
    one._initialize(batch())
    first, key = state(one.discriminator), "head.linear.bias"
    share = 0.5 ** (6 / 20)  # six images, half-life 20
    expected = share * first[key] + (1 - share) * two[key]
    torch.testing.assert_close(players.classifier.state_dict()[key], expected)


def test_layers_are_initialised_from_the_first_batch() -> None:
    players = game()
    players._initialize(batch())
    logits = players.discriminator.head.linear(players.discriminator.features(batch().real))
    assert torch.allclose(logits.mean(0), torch.zeros(K), atol=1e-5)
    assert torch.allclose(logits.std(0, correction=0), torch.ones(K), atol=1e-4)
    assert equal(state(players.classifier), state(players.discriminator))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: game(pack=2), "set pack=1"),
        (lambda: game(regularizers={"weight_clip": WeightClip()}), "choose loss=wgan_gp"),
        (lambda: discriminator_of(0), "choose labelled data"),
        (lambda: with_networks(conditioning=Projection(K)), "set conditioning=none"),
        (lambda: with_networks(judge=MLPDiscriminator(1, 8, Unconditional())), "semi_supervised"),
    ],
)
def test_what_does_not_go_together_is_refused(build: Any, words: str) -> None:
    with pytest.raises((InputError, ValueError), match=words):
        build()


def discriminator_of(classes: int) -> NoisyClassifier:
    return NoisyClassifier(1, 8, classes)


def with_networks(conditioning: Any = None, judge: Any = None) -> SemiSupervised:
    sgd = partial(torch.optim.SGD, lr=0.1)
    generator = SoftplusGenerator(4, 1, 8, conditioning or Unconditional(), hidden=(16,))
    optimizer = {"generator": sgd, "discriminator": sgd}
    return SemiSupervised(generator, judge or discriminator(), loss=Hinge(), optimizer=optimizer)
