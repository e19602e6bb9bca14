import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.algorithms.gan import GAN
from gan.algorithms.player import frozen
from gan.algorithms.strategy import PlayerwiseDDP
from gan.algorithms.two_player import Images
from gan.averaging import ExponentialAverage, NoAveraging
from gan.batch import LatentBatch
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.base import AdversarialLoss
from gan.losses.hinge import Hinge
from gan.losses.least_squares import LeastSquares
from gan.losses.logistic import Minimax, NonSaturating, SquaredProbability
from gan.losses.relativistic import RelativisticPairing
from gan.losses.wasserstein import Wasserstein
from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.regularizers.base import Regularizer
from gan.regularizers.gradient import R1, R2, GradientPenalty
from gan.regularizers.weight_clip import WeightClip
from gan.schedules import Linear
from tests.configs import thinned
from tests.play import play

ADAM = partial(torch.optim.Adam, lr=2e-3, betas=(0.5, 0.9))
INGREDIENTS: dict[str, Any] = {"loss": NonSaturating(), "prior": Gaussian(4)}
State = dict[str, Tensor]


def images(batch: int) -> Tensor:
    """Return batch number ``batch`` of random 8x8 images."""
    generator = torch.Generator().manual_seed(batch)
    return torch.rand(8, 1, 8, 8, generator=generator) * 2 - 1


def large_images(batch: int) -> Tensor:
    """Return batch number ``batch`` of random 16x16 images."""
    return images(batch).repeat(1, 1, 2, 2)


def both(optimizer: Callable[..., Any]) -> dict[str, Any]:
    """Return the same optimizer for each player."""
    return {"generator": optimizer, "discriminator": optimizer}


def convolutional(**ingredients: Any) -> GAN:
    """Return a small DCGAN with batch normalisation in both players."""
    torch.manual_seed(0)
    return GAN(
        DCGANGenerator(4, 1, 16, Unconditional(), width=8),
        DCGANDiscriminator(1, 16, Unconditional(), width=8),
        **INGREDIENTS | {"optimizer": both(ADAM)} | ingredients,
    )


def plain(optimizer: Callable[..., Any] = ADAM, **ingredients: Any) -> GAN:
    """Return fully connected players of 8x8 images, without batch statistics or dropout."""
    torch.manual_seed(0)
    return GAN(
        MLPGenerator(4, 1, 8, Unconditional(), hidden=(16,)),
        MLPDiscriminator(1, 8, Unconditional(), units=(16,), pieces=2, dropout=0.0),
        **INGREDIENTS | {"optimizer": both(optimizer)} | ingredients,
    )


def state(network: nn.Module) -> State:
    return copy.deepcopy(network.state_dict())


def same(a: State, b: State) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


class Watched(GAN):
    """A GAN that records what each update did to the frozen player."""

    untouched: list[bool]
    moved: list[bool]
    turns: list[str]
    seen: list[Tensor]

    @contextmanager
    def updating(self, player: Any) -> Iterator[None]:
        before, mine = state(player.opponent), state(player.network)
        with super().updating(player):
            yield
        self.untouched = [*getattr(self, "untouched", []), same(before, state(player.opponent))]
        self.moved = [*getattr(self, "moved", []), not same(mine, state(player.network))]
        self.turns = [*getattr(self, "turns", []), player.name]
        assert all(p.grad is None for p in player.opponent.parameters())
        assert all(p.requires_grad for p in player.opponent.parameters())

    def make_batch(self, images: Images, turn: int) -> LatentBatch:
        self.seen = [*getattr(self, "seen", []), images[0]]
        return super().make_batch(images, turn)


def watched(game: GAN) -> Watched:
    game.__class__ = Watched
    assert isinstance(game, Watched)
    return game


def test_the_frozen_player_is_unchanged_bit_for_bit() -> None:
    game = watched(convolutional(n_critic=2))
    play(game, large_images, steps=3)
    assert all(game.untouched)
    assert all(game.moved)


def test_each_step_has_n_critic_fresh_batches_and_one_generator_turn() -> None:
    game = watched(plain(n_critic=3))
    play(game, images, steps=4)
    assert game.turns == 4 * (3 * ["discriminator"] + ["generator"])
    shown = [x for x, turn in zip(game.seen, game.turns, strict=True) if turn == "discriminator"]
    assert all(torch.equal(x, images(i)) for i, x in enumerate(shown))
    assert (game.clock.step, game.clock.images) == (4, 4 * 3 * 8)


def test_latents_differ_by_turn_and_depend_on_the_seed_alone() -> None:
    def latents(seed: int) -> Tensor:
        game = plain(seed=seed, n_critic=2)
        drawn: list[Tensor] = []
        make_batch = game.make_batch

        def recorded(images: Any, turn: int) -> LatentBatch:
            drawn.append(make_batch(images, turn).z)
            return make_batch(images, turn)

        game.make_batch = recorded  # type: ignore[method-assign]
        play(game, images, steps=2)
        return torch.stack(drawn)

    first = latents(0)
    assert torch.equal(first, latents(0))
    assert not torch.equal(first, latents(1))
    assert len({tuple(z.flatten().tolist()) for z in first}) == 6


def test_accumulation_equals_the_whole_batch() -> None:
    sgd = partial(torch.optim.SGD, lr=0.05)  # which sees the gradient's scale
    whole = play(plain(sgd, loss=Hinge()), images, steps=3)
    parts = play(plain(sgd, loss=Hinge(), accumulate=4), images, steps=3)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-5)


def test_clipping_bounds_the_update_of_one_player_alone() -> None:
    sgd = partial(torch.optim.SGD, lr=1.0)
    free, bound = plain(sgd), plain(sgd, clip_norm={"generator": 1e-3, "discriminator": None})
    start = [p.detach().clone() for p in free.generator.parameters()]
    for game in (free, bound):
        play(game, images, steps=1)
    pairs = zip(bound.generator.parameters(), start, strict=True)
    moved = torch.stack([(a - b).square().sum() for a, b in pairs]).sum().sqrt()
    assert moved.item() == pytest.approx(1e-3, rel=1e-3)
    assert same(state(free.discriminator), state(bound.discriminator))
    assert float(bound.readings["gradient_norm/generator"]) > 1e-3


def test_learning_rates_follow_images_seen_for_each_player() -> None:
    game = plain(schedule={"discriminator": Linear(end=32)})
    play(game, images, steps=3)
    assert game.readings["lr/discriminator"] == pytest.approx(2e-3 * 0.5)  # 16 of 32 images
    assert game.readings["lr/generator"] == 2e-3


def test_adam_s_second_decay_follows_images_seen() -> None:
    game = plain(beta2={"discriminator": Linear(end=32, final=1.1)})
    play(game, images, steps=3)
    optimizers = game.optimizers()
    assert isinstance(optimizers, list)
    generator, discriminator = (o.param_groups[0]["betas"] for o in optimizers)
    assert generator == (0.5, 0.9)
    assert discriminator == pytest.approx((0.5, 0.9 * 1.05))  # 16 of 32 images


def test_a_second_decay_needs_an_optimizer_that_has_one() -> None:
    game = plain(partial(torch.optim.SGD, lr=0.1), beta2={"generator": Linear(end=32)})
    with pytest.raises(InputError, match=r"optimizer\.generator: model\.beta2"):
        game.configure_optimizers()


def test_scheduled_modules_are_updated_before_every_step() -> None:
    seen: list[int] = []

    class Recorder(R1):
        def set_progress(self, images: int) -> None:
            super().set_progress(images)
            seen.append(images)

    play(plain(regularizers={"r1": Recorder()}), images, steps=3)
    assert seen == [0, 0, 8, 16]  # once when it is made


def test_lazy_terms_are_due_every_so_many_turns_and_worth_as_much_more() -> None:
    game = plain(n_critic=2, regularizers={"r1": R1(gamma=1.0, every=3)})
    terms: list[dict[str, Tensor]] = []
    loss = game.discriminator_loss

    def recorded(batch: LatentBatch) -> dict[str, Tensor]:
        terms.append(loss(batch))
        return terms[-1]

    game.discriminator_loss = recorded  # type: ignore[method-assign]
    play(game, images, steps=3)
    assert ["r1" in t for t in terms] == [True, False, False, True, False, False]
    x = images(0).requires_grad_()
    fresh = plain()
    (gradient,) = torch.autograd.grad(fresh.discriminator(x).sum(), x)
    expected = 3 * 0.5 * gradient.flatten(1).square().sum(1).mean()
    assert torch.allclose(terms[0]["r1"], expected, rtol=1e-4)


def test_average_has_its_half_life() -> None:
    average = ExponentialAverage(half_life=1000, ramp=None)
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    mean = average.copy(network)
    nn.init.ones_(network.weight)
    for step in range(10):
        average.update(mean, network, images=100, seen=100 * step)
    (weight,) = mean.parameters()
    assert weight.item() == pytest.approx(0.5, abs=1e-5)
    assert not any(p.requires_grad for p in mean.parameters())


def test_ramp_shortens_the_half_life_early() -> None:
    average = ExponentialAverage(half_life=1000, ramp=0.05)
    assert average.decay(64, seen=2000) == pytest.approx(0.5 ** (64 / 100))
    assert average.decay(64, seen=10**6) == pytest.approx(0.5 ** (64 / 1000))


def test_half_life_may_follow_a_schedule() -> None:
    average = ExponentialAverage(1000, ramp=None, schedule=Linear(end=100, start=0.0, final=1.0))
    assert average.decay(64, seen=0) == 0
    assert average.decay(64, seen=50) == pytest.approx(0.5 ** (64 / 500))
    assert average.decay(64, seen=200) == pytest.approx(0.5 ** (64 / 1000))


def test_the_average_starts_from_a_copy() -> None:
    """As the authors' codes do: the count of images, or of updates, is that before the update."""
    average = ExponentialAverage(1000, ramp=None, start=192)
    assert [average.decay(64, seen=64 * k) for k in range(3)] == [0, 0, 0]
    assert average.decay(64, seen=192) == pytest.approx(0.5 ** (64 / 1000))
    assert ExponentialAverage(1000, ramp=0.05).decay(64, seen=0) == 0


def test_a_game_counts_the_images_before_a_step() -> None:
    average = ExponentialAverage(half_life=1e9, ramp=None, start=3 * 2 * 8)
    game = plain(averaging=average, n_critic=2)
    copied = state(play(game, images, steps=3).generator)
    assert same(copied, state(game.averaged))
    moved = state(play(game, images, steps=1).generator)
    assert max((moved[key] - copied[key]).abs().max() for key in copied) > 1e-4
    for key, value in state(game.averaged).items():
        torch.testing.assert_close(value, copied[key], rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", ["running_mean", "running_var"])
def test_batch_statistics_are_averaged_if_asked_for(name: str) -> None:
    average = ExponentialAverage(half_life=64, ramp=None, statistics=True)
    network = nn.Sequential(nn.BatchNorm1d(3), spectral_norm(nn.Linear(3, 3)))
    mean = average.copy(network)
    before = network.get_buffer(f"0.{name}").clone()
    network.train()(torch.randn(32, 3, generator=torch.Generator().manual_seed(0)))
    average.update(mean, network, images=64, seen=0)
    held, current = dict(mean.named_buffers()), dict(network.named_buffers())
    expected = 0.5 * (before + current[f"0.{name}"])
    torch.testing.assert_close(held[f"0.{name}"], expected, rtol=1e-6, atol=0)
    copied = [key for key in held if "running" not in key]
    assert len(copied) == 3  # the count of batches, and the vectors of spectral normalisation
    assert all(torch.equal(held[key], current[key]) for key in copied)


@pytest.mark.parametrize(("size", "log_due"), [(1, True), (2, False), (2, True)])
def test_buffers_and_due_readings_are_averaged_over_processes(
    size: int, log_due: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[Tensor]] = []
    monkeypatch.setattr("gan.algorithms.two_player.processes.average", sent.append)
    game = convolutional()
    game._trainer, game.log_due = SimpleNamespace(world_size=size), log_due  # type: ignore[assignment]
    game.readings = {"discriminator/loss": torch.tensor(3.0)}
    game._average_over_processes()
    buffers = [b for player in game.players for b in player.network.buffers()]
    floating = [b for b in buffers if b.is_floating_point()]
    assert 0 < len(floating) < len(buffers)
    expected = [floating, [torch.tensor(3.0)]][: 1 + log_due] if size > 1 else []
    assert [[t.tolist() for t in group] for group in sent] == [
        [t.tolist() for t in group] for group in expected
    ]


def test_average_copies_batch_statistics() -> None:
    game = play(convolutional(averaging=ExponentialAverage()), large_images, steps=3)
    assert same(dict(game.averaged.named_buffers()), dict(game.generator.named_buffers()))
    assert not same(dict(game.averaged.named_parameters()), dict(game.generator.named_parameters()))


def test_sample_k_depends_on_the_seed_alone() -> None:
    game = play(convolutional(), large_images, steps=2)
    many = game.sample(130, seed=3)
    assert torch.allclose(game.sample(7, seed=3), many[:7], atol=1e-6)
    assert not torch.allclose(game.sample(7, seed=4), many[:7], atol=1e-3)
    assert many.shape == (130, 1, 16, 16)
    assert many.abs().max() <= 1
    assert game.generator.training


def test_sampling_leaves_the_random_state_alone() -> None:
    game = plain()
    before = torch.get_rng_state()
    game.sample(3)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("regularizer", [R1(), R2(), GradientPenalty()])
def test_per_sample_penalties_refuse_batch_normalisation(regularizer: Regularizer) -> None:
    with pytest.raises(InputError, match="critic_norm=none"):
        convolutional(regularizers={"penalty": regularizer})


def test_frozen_layers_of_the_discriminator_stay_bit_for_bit() -> None:
    game = convolutional(n_critic=2, accumulate=2)
    for layer in (m for m in game.discriminator.modules() if isinstance(m, nn.Conv2d)):
        spectral_norm(layer)
    game.freeze_discriminator(2)
    before, fixed = state(game.discriminator), set[str]()
    for name, value in game.discriminator.state_dict(keep_vars=True).items():
        held = [v for f in game.frozen_layers for v in f.state_dict(keep_vars=True).values()]
        fixed |= {name} if any(value is v for v in held) else set()
    assert {f"layers.3.{name}" for name in ("running_mean", "weight")} < fixed
    assert "layers.0.parametrizations.weight.0._u" in fixed
    play(game, large_images, steps=2)
    after = state(game.discriminator)
    assert {name for name in after if torch.equal(before[name], after[name])} == fixed
    assert all(weight.requires_grad for weight in game.discriminator.parameters())


def test_frozen_restores_the_flags() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    network[0].bias.requires_grad_(False)
    try:
        with frozen(network):
            assert not any(p.requires_grad for p in network.parameters())
            raise RuntimeError
    except RuntimeError:
        pass
    assert [p.requires_grad for p in network.parameters()] == [True, False, True, True]
    assert network[1].track_running_stats


ANGLES = torch.arange(8) * torch.pi / 4
MODES = 0.7 * torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)


def ring(batch: int) -> Tensor:
    """Return 128 points of a ring of 8 Gaussians as images of one pixel and two channels."""
    generator = torch.Generator().manual_seed(batch)
    chosen = MODES[torch.randint(8, (128,), generator=generator)]
    points = chosen + 0.02 * torch.randn(128, 2, generator=generator)
    return points.view(128, 2, 1, 1)


def ring_game(
    loss: AdversarialLoss, regularizers: dict[str, Regularizer], n_critic: int, beta1: float
) -> GAN:
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=2e-3, betas=(beta1, 0.9), fused=True)
    return GAN(
        MLPGenerator(8, 2, 1, Unconditional(), hidden=(64, 64)),
        MLPDiscriminator(2, 1, Unconditional(), units=(64, 64), pieces=2, dropout=0.0),
        loss=loss,
        regularizers=regularizers,
        prior=Gaussian(8),
        optimizer={"generator": adam, "discriminator": adam},
        averaging=ExponentialAverage(half_life=12_800, ramp=0.05),
        n_critic=n_critic,
    )


RECIPES: dict[str, tuple[AdversarialLoss, dict[str, Regularizer], int, float, int]] = {
    "minimax": (Minimax(), {"r1": R1(gamma=0.1)}, 1, 0.5, 450),
    "non_saturating": (NonSaturating(), {"r1": R1(gamma=0.1)}, 1, 0.5, 450),
    "mse_generator": (SquaredProbability(), {"r1": R1(gamma=0.1)}, 1, 0.5, 450),
    "lsgan": (LeastSquares(), {"r1": R1(gamma=0.1)}, 1, 0.5, 450),
    "hinge": (Hinge(), {"r1": R1(gamma=0.1)}, 1, 0.5, 600),
    "wgan_gp": (Wasserstein(), {"gradient_penalty": GradientPenalty(weight=1.0)}, 3, 0.5, 900),
    "wgan": (Wasserstein(), {"weight_clip": WeightClip(bound=0.1)}, 3, 0.0, 400),
    "rpgan": (RelativisticPairing(), {"r1": R1(gamma=0.1), "r2": R2(gamma=0.1)}, 1, 0.5, 450),
}


@pytest.mark.parametrize("name", thinned(RECIPES, keep=9))
def test_a_ring_of_gaussians_is_learned_with_all_modes(name: str) -> None:
    loss, regularizers, n_critic, beta1, steps = RECIPES[name]
    game = play(ring_game(loss, regularizers, n_critic, beta1), ring, steps)
    points = game.sample(1000).flatten(1)
    distance, mode = torch.cdist(points, MODES).min(dim=1)
    near = distance < 0.15
    counts = torch.bincount(mode[near], minlength=8)
    assert (counts >= 15).all(), counts.tolist()
    assert near.float().mean() > 0.4  # a uniform square gets 0.14


def test_an_average_is_a_copy_in_evaluation_mode_of_a_network_that_trains_on() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    average = ExponentialAverage().copy(network)
    assert not any(module.training for module in average.modules())
    assert all(module.training for module in network.modules())
    assert all(weight.requires_grad for weight in network.parameters())
    assert NoAveraging().copy(network) is network


def test_the_loss_of_a_player_is_the_sum_of_its_terms() -> None:
    game = play(plain(regularizers={"r1": R1(1.0)}), images, steps=1)
    for player in game.players:
        terms = [v for k, v in game.readings.items() if k.startswith(f"{player.name}/")]
        assert player.loss.item() == pytest.approx(sum(map(float, terms)), rel=1e-5)


def test_the_strategy_keeps_its_settings() -> None:
    assert PlayerwiseDDP(start_method="fork")._start_method == "fork"
