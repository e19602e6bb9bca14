"""A batch in four parts leaves what the whole batch leaves."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.accumulation import from_one_state
from gan.algorithms.gan import GAN
from gan.augment.apa import APA
from gan.averaging import ExponentialAverage
from gan.conditioning.base import Unconditional
from gan.latents import Gaussian
from gan.layers.noise import PixelNoise
from gan.layers.spectral import apply_spectral_norm
from gan.losses.hinge import Hinge
from gan.losses.logistic import NonSaturating
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan.regularizers.gradient import R1, GradientPenalty
from gan.regularizers.lecam import LeCam
from gan.regularizers.path_length import PathLength
from tests.play import play

BATCH, STEPS = 8, 4
SGD = partial(torch.optim.SGD, lr=0.05)  # which sees the gradient's scale


def images(batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    return torch.rand(BATCH, 1, 8, 8, generator=generator, dtype=torch.float64) * 2 - 1


def plain(spectral: bool = False, **ingredients: Any) -> GAN:
    """Return players without batch statistics or noise."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "loss": Hinge(),
        "optimizer": {"generator": SGD, "discriminator": SGD},
    }
    generator = MLPGenerator(4, 1, 8, Unconditional(), hidden=(16,))
    critic = MLPDiscriminator(1, 8, Unconditional(), units=(16,), pieces=2, dropout=0.0)
    for network in (generator, critic) if spectral else ():
        apply_spectral_norm(network)
    return GAN(
        *(generator, critic),
        prior=Gaussian(4),
        averaging=ExponentialAverage(half_life=100),
        **settings | ingredients,
    )


def styled(**ingredients: Any) -> GAN:
    """Return a StyleGAN2 without noise, whose mapping network has a running mean of w."""
    torch.manual_seed(0)
    shape: Any = {"style_dim": 8, "depth": 2, "mixing": 0.0, "capacity": 32, "most": 8}
    game = GAN(
        StyleGAN2Generator(4, 1, 8, Unconditional(), **shape),
        StyleGAN2Discriminator(1, 8, Unconditional(), capacity=32, most=8, group=1),
        loss=NonSaturating(),
        prior=Gaussian(4),
        optimizer={"generator": SGD, "discriminator": SGD},
        **ingredients,
    )
    for module in game.modules():
        if isinstance(module, PixelNoise):
            module.strength.requires_grad_(False)
    return game


def lecam() -> dict[str, LeCam]:
    return {"lecam": LeCam(weight=1.0, decay=0.5, start=1)}


GAMES: dict[str, Callable[..., GAN]] = {
    "plain": plain,
    "lecam": lambda **given: plain(regularizers=lecam(), n_critic=2, **given),
    "lecam_of_the_paper": lambda **given: plain(
        regularizers={"lecam": LeCam(weight=1.0, decay=0.5, start=1, clamped=False)}, **given
    ),
    "adaptive": lambda **given: plain(
        augment=APA(target=0.1, interval=3, images=500), regularizers=lecam(), n_critic=2, **given
    ),
    "gradients": lambda **given: plain(
        regularizers={"r1": R1(gamma=1.0), "gradient_penalty": GradientPenalty()}, **given
    ),
    "spectral_norm": lambda **given: plain(spectral=True, regularizers=lecam(), **given),
    "styles": lambda **given: styled(regularizers={"r1": R1(gamma=1.0)}, **given),
}


@pytest.mark.parametrize("name", GAMES)
def test_four_parts_equal_the_whole_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In weights, averages, anchors, p, spectral norms, the mean of w, and the logged values."""
    monkeypatch.setattr(APA, "substitute_reals", lambda self, real, fake: real)
    whole, parts = (play(GAMES[name](accumulate=count).double(), images, STEPS) for count in (1, 4))
    start = GAMES[name]().double().state_dict()
    one, four = whole.state_dict(), parts.state_dict()
    assert any(not torch.equal(start[key], one[key]) for key in start)
    for key, value in one.items():
        assert torch.allclose(value, four[key], atol=1e-11), key
    assert whole.readings.keys() == parts.readings.keys()
    for key, reading in whole.readings.items():
        assert float(parts.readings[key]) == pytest.approx(float(reading), abs=1e-9), key
    for one_player, other in zip(whole.players, parts.players, strict=True):
        assert other.loss.item() == pytest.approx(one_player.loss.item(), abs=1e-9)


def test_the_states_that_are_compared_move() -> None:
    game = play(GAMES["adaptive"](accumulate=4).double(), images, STEPS)
    assert isinstance(game.augment, APA)
    assert game.augment.p > 0
    anchors = game.regularizers["lecam"]
    assert isinstance(anchors, LeCam)
    assert anchors.uses.item() == 2 * STEPS
    assert anchors.observing
    assert anchors.real_anchor.item() != 0


def test_random_numbers_of_an_update_do_not_depend_on_an_observer() -> None:
    """The first computation for LeCam's anchors draws what the second does, and leaves nothing."""
    drawn: list[list[Tensor]] = []
    for regularizers in ({}, {"lecam": LeCam(weight=0.0)}):
        recorder = Recorder()
        game = plain(regularizers=regularizers, accumulate=4, augment=recorder)
        play(game.double(), images, steps=2)
        drawn.append(recorder.drawn)
    without, twice = drawn
    per_turn = 4 * 2
    seen = {tuple(noise.flatten().tolist()) for noise in twice}
    assert seen == {tuple(noise.flatten().tolist()) for noise in without}
    assert len(twice) == len(without) + 2 * per_turn


class Recorder(APA):
    """An augmentation that adds noise and records it."""

    def __init__(self) -> None:
        super().__init__(0.0, None)
        self.drawn: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        noise = torch.rand(len(images), 1, 1, 1, dtype=images.dtype)
        self.drawn.append(noise)
        return images + noise


def test_the_mean_of_path_lengths_moves_once() -> None:
    """Of parts of two images the first is used; the mean moves by decay towards their mean."""
    lengths: list[float] = []

    class Recorded(PathLength):
        def lengths(self, *args: Any) -> Tensor:
            values = super().lengths(*args)
            lengths.extend(values.tolist())
            return values

    regularizer = Recorded(decay=0.1, every=1)
    play(styled(regularizers={"path_length": regularizer}, accumulate=4).double(), images, steps=1)
    assert len(lengths) == 4
    assert regularizer.mean.item() == pytest.approx(0.1 * sum(lengths) / 4, rel=1e-9)


def test_a_constant_state_stays_bit_for_bit() -> None:
    """Three parts: a sum of thirds would differ in the last digit."""
    state = [torch.rand(1000), torch.zeros(1)]
    before = state[0].clone()
    for part in from_one_state([1.0, 2.0, 6.0], state):
        assert state[1] == 0
        state[1] += part
    assert torch.equal(state[0], before)
    assert state[1].item() == pytest.approx(3.0)


def test_batch_statistics_move_once() -> None:
    norm = nn.BatchNorm1d(3).double()
    rows = torch.randn(8, 3, dtype=torch.float64)
    floating = [b for b in norm.buffers() if b.is_floating_point()]
    for part in from_one_state(rows.chunk(4), floating):
        norm(part)
    mean = norm.running_mean
    assert mean is not None
    assert torch.allclose(mean, 0.1 * rows.mean(0))
