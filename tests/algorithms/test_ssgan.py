from functools import partial

import pytest
import torch

from gan.algorithms.player import frozen
from gan.algorithms.ssgan import SSGAN, rotate
from gan.batch import LatentBatch
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.hinge import Hinge
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from tests.play import play


def game(weight: float = 1.0, generator_weight: float = 0.2, pack: int = 1) -> SSGAN:
    torch.manual_seed(0)
    sgd = partial(torch.optim.SGD, lr=0.1)
    return SSGAN(
        MLPGenerator(4, 1, 8, Unconditional(), hidden=(16,)),
        MLPDiscriminator(1, 8, Unconditional(), units=(16,), pieces=2, dropout=0.0),
        loss=Hinge(),
        prior=Gaussian(4),
        optimizer={"generator": sgd, "discriminator": sgd},
        weight=weight,
        generator_weight=generator_weight,
        pack=pack,
    )


def batch(size: int = 8) -> LatentBatch:
    real = torch.zeros(size, 1, 8, 8)
    real[:, :, :2] = torch.linspace(0.5, 1, size)[:, None, None, None]  # bright above
    return LatentBatch(real, None, torch.randn(size, 4), torch.rand(size))


def test_a_quarter_of_the_batch_is_turned_every_way() -> None:
    images = torch.arange(8 * 4).float().reshape(8, 1, 2, 2)
    turned, which = rotate(images)
    assert which.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert turned[0, 0].tolist() == [[0, 1], [2, 3]]
    assert turned[2, 0].tolist() == [[1, 3], [0, 2]]  # a quarter, against the clock
    assert turned[4, 0].tolist() == [[3, 2], [1, 0]]
    assert turned[6, 0].tolist() == [[2, 0], [3, 1]]
    assert len(rotate(images[:3])[0]) == 4


def test_the_terms_are_cross_entropies_of_turned_reals_and_turned_fakes() -> None:
    players, dealt = game(weight=2.0, generator_weight=0.3), batch()
    players.eval()
    for loss, images, weight in (
        (players.discriminator_loss, dealt.real, 2.0),
        (players.generator_loss, players.generator(dealt.z), 0.3),
    ):
        turned, which = rotate(images)
        odds = players.rotation(players.discriminator.features(turned)).exp()
        chosen = odds[torch.arange(8), which] / odds.sum(1)
        terms = loss(dealt)
        assert set(terms) == {"adversarial", "rotation"}
        expected = -weight * chosen.log().mean().item()
        assert terms["rotation"].item() == pytest.approx(expected, rel=1e-5)


def test_the_classifier_learns_with_the_discriminator_alone() -> None:
    players, dealt = game(), batch()
    generator, discriminator = players.players
    with frozen(generator.opponent):
        torch.autograd.backward(players.generator_loss(dealt)["rotation"])
    assert all(p.grad is None for p in players.rotation.parameters())
    assert any(p.grad is not None for p in players.generator.parameters())
    with frozen(discriminator.opponent):
        torch.autograd.backward(players.discriminator_loss(dealt)["rotation"])
    assert all(p.grad is not None for p in players.rotation.parameters())


def test_rotations_are_learned() -> None:
    players = play(game(), lambda number: batch().real, steps=100)
    turned, which = rotate(batch().real)
    players.eval()
    guess = players.rotation(players.discriminator.features(turned)).argmax(1)  # type: ignore[operator]
    assert torch.equal(guess, which)


def test_packs_are_refused() -> None:
    with pytest.raises(InputError, match="pack=1"):
        game(pack=2)
