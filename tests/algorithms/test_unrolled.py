from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.gan import GAN
from gan.algorithms.unrolled import UnrolledGAN
from gan.augment.apa import APA
from gan.batch import LatentBatch
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.wasserstein import Wasserstein
from gan.networks.base import Discriminator, Generator
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from tests.play import play

SGD = partial(torch.optim.SGD, lr=0.1)


class Shift(Generator):
    """G(z) = z + a, on images of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim, self.num_classes = 1, 0
        self.a = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return (z + self.a)[:, :, None, None]


class Slope(Discriminator):
    """D(x) = b x^2 / 2, whose loss is linear in b."""

    def __init__(self) -> None:
        super().__init__()
        self.build_head(1, Unconditional())
        self.b = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.head.requires_grad_(False)

    def body(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def score(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        return 0.5 * self.b * h.square().squeeze(1)


def toy(unroll: int) -> UnrolledGAN:
    return UnrolledGAN(
        Shift(),
        Slope(),
        loss=Wasserstein(),
        prior=Gaussian(1),
        optimizer={"generator": SGD, "discriminator": SGD},
        unroll=unroll,
        unroll_lr=0.3,
    )


@pytest.mark.parametrize("unroll", [0, 1, 4])
def test_the_gradient_passes_through_the_updates(unroll: int) -> None:
    """L_D = b (E f^2 - E x^2) / 2, b_K = b - K eta (E f^2 - E x^2) / 2, L_G = -b_K E f^2 / 2."""
    players = toy(unroll)
    x, z = torch.randn(6, 1, 1, 1).double(), torch.randn(6, 1).double()
    loss = players.generator_loss(LatentBatch(x, None, z, torch.rand(6)))["adversarial"]
    a = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    fake, real = (z + a).square().mean(), x.square().mean()
    expected = -0.5 * (2.0 - unroll * 0.3 * 0.5 * (fake - real)) * fake
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    (weight,) = players.generator.parameters()
    (own,) = torch.autograd.grad(loss, weight)
    (other,) = torch.autograd.grad(expected, a)
    assert own.item() == pytest.approx(other.item(), rel=1e-9)
    assert dict(players.discriminator.named_parameters())["b"].item() == 2.0


def test_without_eta_the_updates_are_those_of_the_discriminators_optimizer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """D's gradient by b, (E f^2 - E x^2) / 2, is that of all K updates of Adam."""
    players = toy(unroll=3)
    players.unroll_lr, b = None, players.discriminator.get_parameter("b")
    adam = torch.optim.Adam([b], lr=0.1, betas=(0.5, 0.9))
    b.grad = torch.tensor(0.7, dtype=torch.float64)
    adam.step()
    held = SimpleNamespace(optimizer=adam)
    monkeypatch.setattr(players, "trained_optimizer", lambda player: held)
    x, z = torch.randn(6, 1, 1, 1).double(), torch.randn(6, 1).double()
    loss = players.generator_loss(LatentBatch(x, None, z, torch.rand(6)))["adversarial"]
    a = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    fake, real = (z + a).square().mean(), x.square().mean()
    ahead, gradient = b.detach().clone(), 0.5 * (fake - real)
    m, v = (torch.tensor(moment, dtype=torch.float64) for moment in (0.5 * 0.7, 0.1 * 0.7**2))
    for t in (2, 3, 4):
        m, v = 0.5 * m + 0.5 * gradient, 0.9 * v + 0.1 * gradient.square()
        ahead = ahead - 0.1 * m / (1 - 0.5**t) / ((v / (1 - 0.9**t)).sqrt() + 1e-8)
    expected = -0.5 * ahead * fake
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    (weight,) = players.generator.parameters()
    (own,) = torch.autograd.grad(loss, weight)
    (other,) = torch.autograd.grad(expected, a)
    assert own.item() == pytest.approx(other.item(), rel=1e-6)


def test_training_moves_the_discriminator_by_its_own_updates_alone() -> None:
    """G with a rate of 0 leaves D the same game, whatever is unrolled."""

    def discriminator(unroll: int) -> list[Tensor]:
        game = perceptrons(UnrolledGAN, unroll=unroll)
        game.optimizer = {
            "generator": partial(torch.optim.SGD, lr=0.0),
            "discriminator": partial(torch.optim.Adam, lr=0.01),
        }
        play(game, lambda number: torch.rand(5, 1, 8, 8), steps=3)
        return [w.detach() for w in game.discriminator.parameters()]

    assert all(map(torch.equal, discriminator(0), discriminator(3)))


def perceptrons(kind: type[GAN], **settings: object) -> GAN:
    torch.manual_seed(0)
    return kind(
        MLPGenerator(4, 1, 8, Unconditional(), hidden=(16,)),
        MLPDiscriminator(1, 8, Unconditional(), units=(16,), pieces=2, dropout=0.0),
        loss=Wasserstein(),
        prior=Gaussian(4),
        optimizer={"generator": SGD, "discriminator": SGD},
        **settings,  # type: ignore[arg-type]
    )


def test_without_unrolling_it_is_the_plain_game() -> None:
    dealt = LatentBatch(torch.rand(5, 1, 8, 8), None, torch.randn(5, 4), torch.rand(5))
    plain, unrolled = perceptrons(GAN), perceptrons(UnrolledGAN, unroll=0)
    assert torch.equal(
        plain.generator_loss(dealt)["adversarial"], unrolled.generator_loss(dealt)["adversarial"]
    )
    ahead = perceptrons(UnrolledGAN, unroll=3, unroll_lr=0.1).generator_loss(dealt)["adversarial"]
    assert not torch.isclose(ahead, plain.generator_loss(dealt)["adversarial"], rtol=1e-4)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InputError, match="unroll=-1"):
        perceptrons(UnrolledGAN, unroll=-1)
    with pytest.raises(InputError, match="pack=1"):
        perceptrons(UnrolledGAN, pack=2)


def test_an_optimizer_that_cannot_be_unrolled_is_refused() -> None:
    game = perceptrons(UnrolledGAN)
    game.optimizer = {"generator": SGD, "discriminator": torch.optim.LBFGS}
    with pytest.raises(InputError, match=r"LBFGS has no .*model\.unroll_lr"):
        game.configure_optimizers()
    perceptrons(UnrolledGAN, unroll_lr=0.1).configure_optimizers()


def test_the_updates_see_fakes_in_disguise() -> None:
    """Where every real one is a fake, L_D = 0 and b_K = b."""
    players = toy(unroll=3)
    players.augment = APA(1.0, None)
    x, z = torch.randn(6, 1, 1, 1).double(), torch.randn(6, 1).double()
    loss = players.generator_loss(LatentBatch(x, None, z, torch.rand(6)))["adversarial"]
    assert loss.item() == pytest.approx(-(z + 0.5).square().mean().item(), rel=1e-9)


def test_frozen_layers_are_not_unrolled() -> None:
    torch.manual_seed(0)
    game = UnrolledGAN(
        MLPGenerator(2, 1, 4, Unconditional(), hidden=(4,)),
        MLPDiscriminator(1, 4, Unconditional(), units=(3,), pieces=2, dropout=0.0),
        loss=Wasserstein(),
        prior=Gaussian(2),
        optimizer={"generator": SGD, "discriminator": SGD},
        unroll=3,
        unroll_lr=0.5,
    ).double()
    game.freeze_discriminator(1)
    real, fake = torch.randn(2, 5, 1, 4, 4, dtype=torch.float64)
    logits, h = game.discriminate_fakes(fake, LatentBatch(real, None, fake, fake))
    # of a linear head on fixed features, each update adds eta times the difference of the means
    h_real, head = game.discriminator.features(real), game.discriminator.head.linear
    moved = head.weight + 3 * 0.5 * (h_real.mean(0) - h.mean(0))
    assert torch.equal(h, game.discriminator.features(fake))
    assert torch.allclose(logits, (h @ moved.T + head.bias).squeeze(1), rtol=1e-12)
