"""Which network gets which gradient in the VAE-GAN."""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.gan import GAN
from gan.algorithms.vaegan import VAEGAN
from gan.batch import EncodedBatch
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Uniform
from gan.losses.logistic import NonSaturating
from gan.losses.relativistic import RelativisticPairing
from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.networks.vae import ConvolutionalEncoder
from tests.play import play

SGD = partial(torch.optim.SGD, lr=0.1)


def game(channels: int = 1, **settings: Any) -> VAEGAN:
    torch.manual_seed(0)
    return VAEGAN(
        DCGANGenerator(4, 1, 8, Unconditional(), width=4),
        DCGANDiscriminator(channels, 8, Unconditional(), width=4),
        encoder=ConvolutionalEncoder(4, 1, 8, width=4),
        optimizer={"generator": SGD, "discriminator": SGD},
        **{"loss": NonSaturating()} | settings,
    )


def images(number: int) -> Tensor:
    random = torch.Generator().manual_seed(number)
    return torch.rand(8, 1, 8, 8, generator=random) * 2 - 1


def batch() -> EncodedBatch:
    torch.manual_seed(1)
    z, noise = torch.randn(2, 8, 4)
    return EncodedBatch(images(0), None, z, torch.rand(8), noise)


def gradients(loss: Tensor, network: nn.Module) -> list[Tensor]:
    """Return the gradients of a loss, zero where it does not depend on a weight."""
    weights = list(network.parameters())
    found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(a, b, strict=True))


def none(grads: list[Tensor]) -> bool:
    return not any(grad.any() for grad in grads)


@pytest.mark.parametrize("loss", [NonSaturating(), RelativisticPairing()])
def test_the_gradients_of_the_encoder_and_the_decoder(loss: Any) -> None:
    players, given = game(loss=loss, gamma=0.5, beta=3.0), batch()
    terms = players.generator_loss(given)
    own, total = terms["kl"] + terms["encoder_reconstruction"], sum(terms.values())
    assert isinstance(total, Tensor)
    assert equal(gradients(total, players.encoder), gradients(own, players.encoder))
    assert not none(gradients(terms["encoder_reconstruction"], players.encoder))
    for name in ("adversarial", "reconstructed", "decoder_reconstruction"):
        assert none(gradients(terms[name], players.encoder))
        assert not none(gradients(terms[name], players.generator))
    assert none(gradients(own, players.generator))
    ratio = terms["decoder_reconstruction"] / terms["encoder_reconstruction"]
    assert float(ratio) == pytest.approx(0.5)


def test_the_encoder_descends_kl_and_distance_of_features() -> None:
    players, given = game(beta=3.0), batch()
    terms = players.generator_loss(given)
    q = players.encoder(given.real)
    real, fake = (
        players.discriminator.body(x)
        for x in (given.real, players.generator(q.sample(given.noise)))
    )
    distance = 0.5 * (real - fake).square().sum(1).mean()
    torch.testing.assert_close(terms["encoder_reconstruction"], distance)
    torch.testing.assert_close(terms["kl"], 3 * q.kl().mean())
    expected = gradients(3 * q.kl().mean() + distance, players.encoder)
    total = sum(terms.values())
    assert isinstance(total, Tensor)
    for found, wanted in zip(gradients(total, players.encoder), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_the_discriminator_gets_the_adversarial_loss_of_both_kinds_of_fakes() -> None:
    players, given = game(), batch()
    terms = players.discriminator_loss(given)
    assert set(terms) == {"adversarial", "reconstructed"}
    with torch.no_grad():
        z = players.encoder(given.real).sample(given.noise)
        fakes = [players.generator(latents) for latents in (given.z, z)]
    real, *logits = (players.discriminator(x) for x in (given.real, *fakes))
    expected = sum(players.loss.discriminator(real, fake) for fake in logits)
    assert isinstance(expected, Tensor)
    total = sum(terms.values())
    assert isinstance(total, Tensor)
    torch.testing.assert_close(total, expected)
    assert none(gradients(total, players.encoder))
    assert none(gradients(total, players.generator))
    for found, wanted in zip(
        gradients(total, players.discriminator),
        gradients(expected, players.discriminator),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted)


def test_each_turn_changes_its_own_player_alone() -> None:
    """Weights and batch statistics of the others stay as they are, bit for bit."""
    players, states = game(), list[dict[str, dict[str, Tensor]]]()
    names = ("generator", "encoder", "discriminator")

    def record() -> None:
        networks = {name: getattr(players, name).state_dict() for name in names}
        states.append({n: {k: v.clone() for k, v in s.items()} for n, s in networks.items()})

    def recorded(update: Any) -> Any:
        def update_recorded(given: EncodedBatch) -> Any:
            record()
            return update(given)

        return update_recorded

    for name in ("discriminator_loss", "generator_loss"):
        setattr(players, name, recorded(getattr(players, name)))
    play(players, images, 1)
    record()
    changed = [
        {n for n in names if any(not torch.equal(a[n][k], b[n][k]) for k in a[n])}
        for a, b in pairwise(states)
    ]
    assert changed == [{"discriminator"}, {"generator", "encoder"}]


def test_without_distance_and_kl_the_encoder_rests() -> None:
    players = game(beta=0.0)
    players._distance = lambda h, images: h.sum() * 0  # type: ignore[method-assign]
    before = [weight.clone() for weight in players.encoder.parameters()]
    play(players, images, 2)
    assert equal(before, list(players.encoder.parameters()))


def test_samples_are_those_of_a_gan() -> None:
    assert issubclass(VAEGAN, GAN)
    players = game()
    assert torch.equal(players.sample(3), players.decode(players.latents(3)))
    x = images(1)
    assert players.reconstruct(x).shape == x.shape


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gamma": -1.0}, r"model\.gamma=-1"),
        ({"beta": -1.0}, r"model\.beta=-1"),
        ({"pack": 2, "channels": 2}, "pack=2"),
        ({"prior": Uniform(4)}, "set prior=gaussian"),
    ],
)
def test_what_does_not_apply_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        game(**settings)
