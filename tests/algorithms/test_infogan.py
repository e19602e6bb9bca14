import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.infogan import InfoGAN
from gan.algorithms.interfaces import CodeInference
from gan.algorithms.player import frozen
from gan.batch import LatentBatch
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Codes, Gaussian, Prior
from gan.losses.hinge import Hinge
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.networks.posterior import Posterior
from tests.play import play

CODES = partial(Codes, categories=(3, 4), continuous=2)


def game(prior: Prior | None = None, **settings: Any) -> InfoGAN:
    torch.manual_seed(0)
    sgd = partial(torch.optim.SGD, lr=0.1)
    prior = prior or CODES(12)
    return InfoGAN(
        MLPGenerator(prior.dim, 1, 8, Unconditional(), hidden=(16,)),
        MLPDiscriminator(1, 8, Unconditional(), units=(16,), pieces=2, dropout=0.0),
        loss=Hinge(),
        prior=prior,
        optimizer={"generator": sgd, "discriminator": sgd},
        hidden=8,
        **settings,
    )


def batch(prior: Prior, size: int = 5) -> LatentBatch:
    random = torch.Generator().manual_seed(0)
    real = torch.rand(size, 1, 8, 8, generator=random) * 2 - 1
    return LatentBatch(real, None, prior.sample(size, random), torch.rand(size))


def test_surprise_is_the_negative_log_likelihood_of_the_codes() -> None:
    torch.manual_seed(0)
    codes = CODES(12)
    posterior, h, z = Posterior(6, codes, hidden=5), torch.randn(7, 6), batch(codes, 7).z
    (three, four), mean = posterior(h)
    noise = 12 - 3 - 4 - 2
    expected = [0.0, 0.0]
    for i in range(7):
        for logits, first, k in ((three, noise, 3), (four, noise + 3, 4)):
            odds = logits[i].exp()
            expected[0] -= float((odds / odds.sum()).log() @ z[i, first : first + k]) / 7
        density = -0.5 * (z[i, noise + 7 :] - mean[i]) ** 2 - 0.5 * math.log(2 * math.pi)
        expected[1] -= float(density.sum()) / 7
    categorical, continuous = posterior.negative_log_likelihood(h, z)
    assert categorical.item() == pytest.approx(expected[0], rel=1e-5)
    assert continuous.item() == pytest.approx(expected[1], rel=1e-5)


def test_a_posterior_that_knows_nothing_is_as_surprised_as_the_entropy() -> None:
    posterior = Posterior(6, CODES(12), hidden=5)
    for parameter in posterior.parameters():
        nn.init.zeros_(parameter)
    categorical, _ = posterior.negative_log_likelihood(torch.randn(4, 6), batch(CODES(12), 4).z)
    assert categorical.item() == pytest.approx(math.log(3) + math.log(4), rel=1e-5)


def test_both_players_terms_are_weighted_and_read_fakes_alone() -> None:
    players = game(weight=2.0, continuous_weight=0.5)
    dealt = batch(players.prior)
    h = players.discriminator.features(players.generator(dealt.z))
    categorical, continuous = players.posterior.negative_log_likelihood(h, dealt.z)
    for terms in (players.discriminator_loss(dealt), players.generator_loss(dealt)):
        assert set(terms) == {"adversarial", "categorical", "continuous"}
        assert terms["categorical"].item() == pytest.approx(2 * categorical.item(), rel=1e-5)
        assert terms["continuous"].item() == pytest.approx(0.5 * continuous.item(), rel=1e-5)


def gradients(terms: dict[str, Tensor], network: nn.Module) -> float:
    torch.autograd.backward(terms["categorical"])
    norms = [p.grad.norm() for p in network.parameters() if p.grad is not None]
    return float(torch.stack(norms).sum()) if norms else 0.0


def test_the_posterior_learns_with_the_generator_alone() -> None:
    players = game()
    dealt, (generator, discriminator) = batch(players.prior), players.players
    with frozen(discriminator.opponent):
        assert gradients(players.discriminator_loss(dealt), players.posterior) == 0
    assert gradients(players.discriminator_loss(dealt), players.discriminator) > 0
    players.zero_grad()
    with frozen(generator.opponent):
        assert gradients(players.generator_loss(dealt), players.posterior) > 0
    owned = {id(p) for p in generator.network.parameters()}
    assert owned == {
        id(p) for p in (*players.generator.parameters(), *players.posterior.parameters())
    }


def test_a_code_becomes_legible() -> None:
    prior = Codes(6, categories=(3,), continuous=0)
    players = game(prior)
    before = players.posterior.negative_log_likelihood
    dealt = batch(prior, 64)

    def categorical() -> float:
        with torch.no_grad():
            features = players.discriminator.features(players.generator(dealt.z))
            return float(before(features, dealt.z)[0])

    assert categorical() > 0.9
    play(players, lambda number: batch(prior, 32).real, steps=150)
    assert categorical() < 0.2


def test_the_codes_of_images() -> None:
    players = game().train()
    images = batch(players.prior, 130).real
    codes = players.encode(images)
    assert codes.shape == (130, 3 + 4 + 2)
    torch.testing.assert_close(codes[7:9], players.encode(images[7:9]))
    assert players.posterior.training
    with torch.no_grad():
        players.eval()
        (three, four), mean = players.posterior(players.discriminator.features(images))
    torch.testing.assert_close(codes, torch.cat([three.softmax(1), four.softmax(1), mean], 1))


def test_the_network_of_an_export_infers_the_same_codes() -> None:
    players, images = game().eval(), batch(CODES(12)).real
    with torch.no_grad():
        codes = CodeInference(players.discriminator, players.posterior)(images)
    torch.testing.assert_close(codes, players.encode(images))


def test_a_prior_without_codes_and_packs_are_refused() -> None:
    with pytest.raises(InputError, match="prior=codes"):
        game(Gaussian(12))
    with pytest.raises(InputError, match="pack=1"):
        game(pack=2)
