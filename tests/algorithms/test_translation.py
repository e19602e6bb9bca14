"""Ingredients of the games on images."""

from collections.abc import Callable

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from gan.algorithms.critic import Critic
from gan.algorithms.pix2pix import Pix2Pix
from gan.algorithms.translation import TranslationGame
from gan.augment.apa import APA
from gan.augment.base import Augmentation
from gan.augment.diffaugment import DiffAugment
from gan.errors import InputError
from gan.layers.minibatch import Alone
from gan.losses.multi_hinge import MultiHinge
from gan.losses.none import NoLoss
from gan.networks.base import Discriminator
from gan.networks.patch import PatchDiscriminator, PatchHead
from gan.regularizers.base import DiscriminatorOutputs, Regularizer
from gan.regularizers.gradient import R1, R2, GradientPenalty
from gan.settings.composing import compose
from gan.settings.trust import build
from tests.algorithms.translating import GAMES, PLAIN, SIDE, Scaled, conditional, cycle, pairs
from tests.configs import ROOT, options

Make = Callable[..., TranslationGame]
EACH = pytest.mark.parametrize("make", GAMES.values(), ids=GAMES)
TERMLESS = {"top_k", "weight_clip"}


class LinearPatches(Discriminator):
    """A convolution of the images: a map of logits."""

    num_classes = 0

    def __init__(self) -> None:
        super().__init__()
        self.minibatch, self.head = Alone(1), PatchHead(1)

    def body(self, x: Tensor) -> Tensor:
        return x


def outputs(penalty: Regularizer) -> tuple[DiscriminatorOutputs, Critic]:
    """Return what a critic of linear patches gives, and the critic."""
    torch.manual_seed(0)
    network, batch = LinearPatches(), pairs()
    critic = Critic(Scaled(1.0), network, {"penalty": penalty}, Augmentation())
    real, fake = batch.real.requires_grad_(), batch.source.requires_grad_()
    (of_real, h_real), (of_fake, h_fake) = (critic.discriminate(x, None) for x in (real, fake))
    assert of_real.shape == (4, SIDE - 1, SIDE - 1)
    return DiscriminatorOutputs(batch, real, fake, of_real, of_fake, h_real, h_fake), critic


def squared_norm(critic: Critic) -> float:
    """Return the squared norm of the gradient of the mean logit, the same at all images."""
    (kernel,) = (m.weight for m in critic.network.modules() if isinstance(m, nn.Conv2d))
    pixels = SIDE - 1
    gradient = conv_transpose2d(torch.ones(1, 1, pixels, pixels) / pixels**2, kernel, padding=1)
    return float(gradient.square().sum())


@pytest.mark.parametrize("kind", [R1, R2])
def test_zero_centred_penalties_of_linear_patches(kind: type[R1]) -> None:
    penalty = kind(gamma=3.0)
    out, critic = outputs(penalty)
    expected = 1.5 * squared_norm(critic)
    assert penalty.penalty(out, critic).item() == pytest.approx(expected, rel=1e-5)


def test_one_centred_penalty_of_linear_patches() -> None:
    penalty = GradientPenalty(weight=10.0)
    out, critic = outputs(penalty)
    expected = 10 * (squared_norm(critic) ** 0.5 - 1) ** 2
    assert penalty.penalty(out, critic).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", options("regularizers"))
@EACH
def test_every_regularizer_composes_or_is_refused(make: Make, name: str) -> None:
    node = OmegaConf.load(ROOT / f"conf/regularizers/{name}.yaml")
    regularizer = build(node.regularizers[name])
    if regularizer.needs_latents:
        with pytest.raises(InputError, match=f"regularizers.{name} changes latents.*: leave"):
            make(regularizers={name: regularizer})
        return
    game, batch = make(regularizers={name: regularizer}), pairs()
    terms = game.discriminator_loss(batch) | game.generator_loss(batch)
    assert all(term.isfinite() for term in terms.values())
    assert any(key.startswith(name) for key in terms) == (name not in TERMLESS)
    game.after_discriminator_update()
    if name == "weight_clip":
        weights = [p for critic in game.critics for p in critic.network.parameters()]
        assert max(float(p.abs().max()) for p in weights) <= 0.01


@pytest.mark.parametrize("name", options("augment"))
@EACH
def test_every_augmentation_composes_or_is_refused(make: Make, name: str) -> None:
    node = compose([f"augment={name}", "run_dir=run"]).augment
    if make is conditional and name != "none":
        with pytest.raises(InputError, match="set augment=none"):
            make(augment=build(node))
        return
    game = make(augment=build(node))
    terms = game.discriminator_loss(pairs()) | game.generator_loss(pairs())
    assert all(term.isfinite() for term in terms.values())


def test_an_augmentation_adapts_after_each_update_of_its_discriminator() -> None:
    game = cycle(augment=APA(0.5, 0.3, interval=1, images=64))
    adapted = [critic.augment for critic in game.critics]
    for part in pairs().chunks(2):
        game.discriminator_loss(part)
    assert [float(augment.p) for augment in adapted if isinstance(augment, APA)] == [0.5, 0.5]
    game.after_discriminator_update()
    assert [a.turns.item() for a in adapted if isinstance(a, APA)] == [0, 0]
    moves = [abs(float(a.p) - 0.5) for a in adapted if isinstance(a, APA)]
    assert moves == [len(pairs().real) / 64] * 2
    assert {"augment/p_a", "augment/p_b"} <= game.readings.keys()


@pytest.mark.parametrize("kind", [R1, R2, GradientPenalty])
def test_penalties_of_each_image_refuse_batch_statistics(kind: type[Regularizer]) -> None:
    network = PatchDiscriminator(2, SIDE, nn.BatchNorm2d, width=4)
    with pytest.raises(InputError, match="critic_norm=none"):
        Pix2Pix(Scaled(1.0), network, **PLAIN, regularizers={"penalty": kind()})


@EACH
def test_two_logits_an_image_are_refused(make: Make) -> None:
    with pytest.raises(InputError, match="loss=multi_hinge and conditioning=multi_hinge"):
        make(loss=MultiHinge())


@EACH
def test_what_no_discriminator_would_use_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match=r"regularizers\.r1: no discriminator is trained"):
        make(loss=NoLoss(), regularizers={"r1": R1()})
    with pytest.raises(InputError, match="set augment=none"):
        make(loss=NoLoss(), augment=DiffAugment())


def test_directions() -> None:
    game, images = conditional(), pairs().source
    with pytest.raises(InputError, match="direction=ba: this model translates ab"):
        game.translate(images, "ba")
    with pytest.raises(InputError, match="direction=up: this model translates ab or ba"):
        cycle().translate(images, "up")


def test_a_batch_with_the_domains_exchanged() -> None:
    batch = pairs()
    other = batch.reversed
    assert other.real is batch.source
    assert other.source is batch.real
    assert other.epsilon is batch.epsilon
    assert other.labels is None


@EACH
def test_generators_of_the_user_s_own_keep_the_size_of_images(make: Make) -> None:
    """A generator that does not say how much it enlarges."""
    game = make()
    game.averaged = nn.Conv2d(1, 1, 3, padding=1)
    assert game.scale == 1
