import copy
import math
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.bigan import BiGAN
from gan.algorithms.player import frozen
from gan.augment.apa import APA
from gan.augment.base import Augmentation
from gan.averaging import ExponentialAverage
from gan.batch import EncodedBatch
from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.projection import Projection
from gan.errors import InputError
from gan.latents import Gaussian, Uniform
from gan.layers.maxout import Maxout
from gan.layers.norm import LayerNorm2d
from gan.losses.base import AdversarialLoss
from gan.losses.hinge import Hinge
from gan.losses.logistic import NonSaturating
from gan.losses.wasserstein import Wasserstein
from gan.networks.ali import ALIDiscriminator, ALIEncoder
from gan.networks.bigan import BiGANDiscriminator, BiGANEncoder, BiGANGenerator
from gan.networks.joint import JointDiscriminator, pair
from gan.networks.mlp import MLPDiscriminator
from gan.regularizers.base import Regularizer
from gan.regularizers.consistency import ConsistencyRegularization
from gan.regularizers.gradient import R1, GradientPenalty
from gan.regularizers.latent_consistency import LatentConsistency
from gan.settings.trust import build
from tests.configs import options
from tests.conftest import Compose
from tests.play import play

SIDE, DIM = 8, 3
PIXELS = SIDE * SIDE


class Affine(JointDiscriminator):
    """D(x, z) = w.x + v.z, without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.shape, self.latent_dim = (1, SIDE, SIDE), DIM
        self.build_head(PIXELS + DIM, Unconditional())
        nn.init.zeros_(self.head.linear.bias)

    def join(self, images: Tensor, z: Tensor) -> Tensor:
        """Return pixels and latent."""
        return pair(images, z)

    @property
    def weight(self) -> Tensor:
        """Return w and v, (PIXELS + DIM,)."""
        return self.head.linear.weight.detach()[0]


class Brighter(Augmentation):
    """Adds 1 to each pixel."""

    def forward(self, images: Tensor) -> Tensor:
        """Return brighter images."""
        return images + 1


def game(
    discriminator: nn.Module | None = None,
    loss: AdversarialLoss | None = None,
    conditioning: Conditioning | None = None,
    **settings: Any,
) -> BiGAN:
    torch.manual_seed(0)
    conditioning = conditioning or Unconditional()
    sgd = partial(torch.optim.SGD, lr=0.1)
    given = (DIM, 1, SIDE)
    settings.setdefault("encoder", BiGANEncoder(*given, hidden=16))
    settings.setdefault("prior", Uniform(DIM))
    return BiGAN(
        BiGANGenerator(*given, conditioning, hidden=16),
        discriminator or BiGANDiscriminator(*given, conditioning, LayerNorm2d, hidden=16),
        loss=loss or NonSaturating(),
        optimizer={"generator": sgd, "discriminator": sgd},
        **settings,
    )


def batch(size: int = 5) -> EncodedBatch:
    random = torch.Generator().manual_seed(1)
    real = torch.rand(size, 1, SIDE, SIDE, generator=random) * 2 - 1
    z = torch.rand(size, DIM, generator=random) * 2 - 1
    noise = torch.randn(size, DIM, generator=random)
    return EncodedBatch(real, None, z, torch.rand(size, generator=random), noise)


def test_both_losses_are_those_of_pairs() -> None:
    players, dealt = game(Affine(), Wasserstein()), batch()
    judge = players.discriminator
    assert isinstance(judge, Affine)
    with torch.no_grad():
        pixels, latent = torch.split(judge.weight, [PIXELS, DIM])
        code, image = players.encoder.draw(dealt.real, dealt.noise), players.generator(dealt.z)
        real = dealt.real.flatten(1) @ pixels + code @ latent
        fake = image.flatten(1) @ pixels + dealt.z @ latent
    (loss,) = players.discriminator_loss(dealt).values()
    assert loss.item() == pytest.approx(float(fake.mean() - real.mean()), rel=1e-4)
    (loss,) = players.generator_loss(dealt).values()
    assert loss.item() == pytest.approx(float(real.mean() - fake.mean()), rel=1e-4)


def test_the_discriminator_sees_which_latent_belongs_to_which_image() -> None:
    for judge in (
        BiGANDiscriminator(DIM, 1, SIDE, Unconditional(), LayerNorm2d, hidden=16),
        ALIDiscriminator(DIM, 1, SIDE, Unconditional(), width=4, hidden=8).eval(),
    ):
        dealt = batch()
        logits = judge(pair(dealt.real, dealt.z))
        assert logits.shape == (5,)
        assert (judge(pair(dealt.real, dealt.z.flip(0))) - logits)[[0, 4]].abs().min() > 1e-5
        images, z = judge.split(pair(dealt.real, dealt.z))
        assert torch.equal(images, dealt.real)
        assert torch.equal(z, dealt.z)


def test_at_the_optimum_the_discriminator_learns_nothing() -> None:
    """Both kinds of pairs are the same: D = 0 costs 2 log 2 and has no gradient."""
    players, dealt = game(Affine()), batch()
    same = players.pairs(dealt)[1]
    players.pairs = lambda batch: (same, same)  # type: ignore[method-assign]
    nn.init.zeros_(players.discriminator.head.linear.weight)
    terms = players.discriminator_loss(dealt)
    assert terms["adversarial"].item() == pytest.approx(2 * math.log(2))
    torch.autograd.backward(terms["adversarial"])
    gradient = players.discriminator.head.linear.weight.grad
    assert gradient is not None
    assert gradient.abs().max() < 1e-7


@pytest.mark.parametrize("loss", [NonSaturating(), Hinge(), Wasserstein()])
def test_the_encoder_lowers_real_logits_and_the_generator_raises_fake_ones(
    loss: AdversarialLoss,
) -> None:
    players, dealt = game(Affine(), loss), batch()

    def logits() -> tuple[float, float]:
        with torch.no_grad():
            real, fake = (players.discriminate(x, None)[0] for x in players.pairs(dealt))
        return float(real.mean()), float(fake.mean())

    before = logits()
    with frozen(players.players[0].opponent):
        torch.autograd.backward(players.generator_loss(dealt)["adversarial"])
    for weight in players.players[0].network.parameters():
        assert weight.grad is not None
        weight.data -= 0.01 * weight.grad
    after = logits()
    assert after[0] < before[0]
    assert after[1] > before[1]


def test_the_encoder_is_of_the_generators_player() -> None:
    players, dealt = game(), batch()
    generator, discriminator = players.players
    buffers = copy.deepcopy(dict(players.encoder.named_buffers()))
    with frozen(discriminator.opponent):
        torch.autograd.backward(players.discriminator_loss(dealt)["adversarial"])
    assert all(
        p.grad is None for p in (*players.encoder.parameters(), *players.generator.parameters())
    )
    assert all(torch.equal(buffers[k], b) for k, b in players.encoder.named_buffers())
    assert any(p.grad is not None for p in players.discriminator.parameters())
    players.zero_grad()
    with frozen(generator.opponent):
        torch.autograd.backward(players.generator_loss(dealt)["adversarial"])
    assert all(p.grad is None for p in players.discriminator.parameters())
    for network in (players.encoder, players.generator):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("penalty", [R1(gamma=2.0), GradientPenalty(1.0)])
def test_penalties_differentiate_by_image_and_latent(penalty: Regularizer) -> None:
    players = game(Affine(), regularizers={"penalty": penalty})
    judge = players.discriminator
    assert isinstance(judge, Affine)
    norm = float(judge.weight.norm())
    expected = norm**2 if isinstance(penalty, R1) else (norm - 1) ** 2
    term = players.discriminator_loss(batch())["penalty"]
    assert term.item() == pytest.approx(expected, rel=1e-4)


def test_augmentations_change_images_and_not_latents() -> None:
    dealt = batch()
    plain, brighter = game(Affine()), game(Affine(), augment=Brighter())
    both = plain.features(pair(dealt.real, dealt.z)), brighter.features(pair(dealt.real, dealt.z))
    difference = both[1] - both[0]
    torch.testing.assert_close(difference[:, :PIXELS], torch.ones(5, PIXELS))
    assert difference[:, PIXELS:].abs().max() == 0


def test_a_pseudo_real_pair_is_substituted_whole() -> None:
    pairs = [torch.full((200, 7), value) for value in (1.0, -1.0)]
    torch.manual_seed(0)
    mixed = APA(p=0.5, target=None).substitute_reals(*pairs)
    assert ((mixed == 1).all(1) | (mixed == -1).all(1)).all()
    assert 50 < int((mixed[:, 0] == -1).sum()) < 150


def test_labels_enter_generator_and_discriminator() -> None:
    players, dealt = game(conditioning=Projection(4, 2)), batch()
    terms = []
    for label in (0, 3):
        told = replace(dealt, labels=torch.full((5,), label))
        (real, fake), (loss,) = players.pairs(told), players.discriminator_loss(told).values()
        terms.append((real, fake, loss))
    assert torch.equal(terms[0][0], terms[1][0])
    assert not torch.equal(terms[0][1], terms[1][1])
    assert terms[0][2] != terms[1][2]
    with pytest.raises(InputError, match="give labels"):
        players.reconstruct(dealt.real)


def test_an_encoder_that_draws() -> None:
    torch.manual_seed(0)
    encoder, dealt = ALIEncoder(DIM, 1, SIDE, width=4), batch()
    mean, log_variance = encoder.moments(dealt.real)
    expected = mean + log_variance.exp().sqrt() * dealt.noise
    torch.testing.assert_close(encoder.draw(dealt.real, dealt.noise), expected)
    torch.testing.assert_close(encoder.mean(dealt.real), mean)
    assert (expected - mean).abs().min() > 0


def test_encodings_do_not_depend_on_the_batch_and_are_of_averaged_weights() -> None:
    players = game(averaging=ExponentialAverage(half_life=1.0))
    play(players, lambda number: batch(4).real, steps=3)
    images = batch(130).real
    latents = players.encode(images)
    assert latents.shape == (130, DIM)
    torch.testing.assert_close(latents[7:9], players.encode(images[7:9]))
    with torch.no_grad():
        torch.testing.assert_close(latents, players.averaged_encoder.eval().mean(images))  # type: ignore[operator]
        assert (latents - players.encoder.eval().mean(images)).abs().max() > 1e-6
    assert torch.equal(players.reconstruct(images), players.decode(latents))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"discriminator": MLPDiscriminator(1, SIDE, Unconditional())}, "JointDiscriminator"),
        ({"prior": Gaussian(DIM)}, "prior=uniform"),
        ({"pack": 2}, "pack=1"),
        ({"encoder": BiGANEncoder(DIM + 1, 1, SIDE, hidden=4)}, "prior.dim"),
        ({"regularizers": {"zcr": LatentConsistency()}}, "leave zcr out"),
        ({"regularizers": {"cr": ConsistencyRegularization(nn.Identity())}}, "leave cr out"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        game(**settings)


def test_every_other_regularizer_composes(config: Compose) -> None:
    """Each penalty of conf/ is computed, or its kind is refused."""
    names = options("regularizers")
    node = config(f"regularizers=[{','.join(names)}]")
    for name in names:
        regularizer: Regularizer = build(node.regularizers[name], [])
        refused = regularizer.needs_latents or regularizer.transforms_images
        assert refused == (name in {"cr", "bcr", "zcr", "mode_seeking", "path_length"})
        if not refused:
            players = game(regularizers={name: regularizer})
            terms = (players.discriminator_loss(batch()), players.generator_loss(batch()))
            assert all(value.isfinite() for part in terms for value in part.values())


def test_maxout_units_of_ali_are_of_two_pieces() -> None:
    """Dumoulin et al., 2017, table of the networks."""
    network = ALIDiscriminator(DIM, 1, SIDE, Unconditional(), width=4, hidden=8)
    units = [m for m in network.modules() if isinstance(m, Maxout)]
    assert [unit.pieces for unit in units] == [2] * 4
