"""Half precision: what stays in full, and a loss scale for each player."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from gan.algorithms.gan import GAN
from gan.algorithms.precision import PlayerwiseScaling
from gan.losses.wasserstein import Wasserstein
from gan.regularizers.base import Regularizer
from gan.regularizers.gradient import DRAGAN, R1, R2, GradientPenalty
from tests.algorithms.test_two_player import images, plain
from tests.play import Stream


class Watched(GAN):
    """A GAN that keeps the terms and the norms of every turn."""

    terms: list[dict[str, Tensor]]
    norms: list[dict[str, float]]

    def discriminator_loss(self, batch: Any) -> dict[str, Tensor]:
        terms = super().discriminator_loss(batch)
        self.terms.append({name: term.detach() for name, term in terms.items()})
        return terms

    def training_step(self, batches: Any, batch_idx: int) -> dict[str, Any]:
        readings = super().training_step(batches, batch_idx)
        self.norms.append({k: float(v) for k, v in readings.items() if "norm" in k})
        return readings


def watched(**ingredients: Any) -> Watched:
    game = plain(**ingredients)
    game.__class__ = Watched
    assert isinstance(game, Watched)
    game.terms, game.norms = [], []
    return game


def played(game: Watched, steps: int, **settings: Any) -> Watched:
    """Let ``game`` play on the CPU in some precision."""
    pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        **settings,
    ).fit(game, Stream(images, steps, game.n_critic))
    return game


@pytest.mark.parametrize("penalty", [R1(1.0), R2(1.0), GradientPenalty(), DRAGAN()])
def test_penalties_are_computed_in_full_precision(penalty: Regularizer) -> None:
    def first(precision: str) -> Tensor:
        game = watched(regularizers={"penalty": penalty})
        drawn = torch.autocast("cpu", enabled=False)(game.generator.forward)  # the same fakes
        game.generator.forward = drawn  # type: ignore[method-assign]
        torch.manual_seed(1)
        return played(game, 1, precision=precision).terms[0]["penalty"]

    whole, half = first("32-true"), first("bf16-mixed")
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(whole.item(), rel=1e-6)


def test_the_rest_is_computed_in_half_precision() -> None:
    seen: list[torch.dtype] = []
    game = watched()
    head = game.discriminator.head
    assert isinstance(head, torch.nn.Module)
    head.register_forward_hook(lambda m, x, y: seen.append(y.dtype))
    played(game, 1, precision="bf16-mixed")
    assert set(seen) == {torch.bfloat16}


def test_gradients_stay_finite_in_half_precision() -> None:
    game = watched(loss=Wasserstein(), regularizers={"gp": GradientPenalty()}, n_critic=3)
    played(game, 30, precision="bf16-mixed")
    assert all(0 < norm < float("inf") for norms in game.norms for norm in norms.values())
    assert len(game.norms) == 30


def scaled(**settings: Any) -> PlayerwiseScaling:
    return PlayerwiseScaling("cpu", **settings)


def test_each_player_has_a_loss_scale_of_its_own() -> None:
    plugin = scaled(init_scale=4.0)
    for scaler in plugin.scalers:
        scaler.set_growth_interval(6)
    game = watched(n_critic=3)
    played(game, 4, plugins=[plugin])
    generator, discriminator = (scaler.get_scale() for scaler in plugin.scalers)
    assert generator == 4.0  # 4 turns
    assert discriminator == 16.0  # 12 turns
    restored = scaled()
    restored.load_state_dict(plugin.state_dict())
    assert [s.get_scale() for s in restored.scalers] == [4.0, 16.0]


def test_the_overflow_of_one_player_costs_the_other_nothing() -> None:
    plugin = scaled(init_scale=4.0)

    class Overflowing(Watched):
        def generator_loss(self, batch: Any) -> dict[str, Tensor]:
            return {k: v * float("inf") for k, v in super().generator_loss(batch).items()}

    game = watched()
    game.__class__ = Overflowing
    before = [p.detach().clone() for p in game.generator.parameters()]
    started = [p.detach().clone() for p in game.discriminator.parameters()]
    played(game, 3, plugins=[plugin])
    assert all(map(torch.equal, before, game.generator.parameters()))
    assert not any(map(torch.equal, started, game.discriminator.parameters()))
    assert [scaler.get_scale() for scaler in plugin.scalers] == [0.5, 4.0]


def test_clipping_sees_the_gradient_without_its_scale() -> None:
    plain_norms = played(watched(), 1, precision="bf16-mixed").norms[0]
    scaled_norms = played(watched(), 1, plugins=[scaled(init_scale=1024.0)]).norms[0]
    assert scaled_norms == pytest.approx(plain_norms, rel=0.05)


def test_a_finite_gradient_whose_norm_overflows_is_unchanged() -> None:
    player = watched(nan_to_num=True).players[1]
    weight = next(player.network.parameters())
    weight.grad = torch.full_like(weight, 3e38)
    assert int(player.replace_nonfinite_gradient()) == 0
    assert torch.equal(weight.grad, torch.full_like(weight, 3e38))
    weight.grad.view(-1)[:2] = torch.tensor([float("nan"), -float("inf")])
    assert int(player.replace_nonfinite_gradient()) == 2
    assert weight.grad.view(-1)[:2].tolist() == [0, -1e5]


def test_nonfinite_gradients_are_replaced_and_counted() -> None:
    class Broken(Watched):
        def discriminator_loss(self, batch: Any) -> dict[str, Tensor]:
            weight = next(self.discriminator.parameters())
            return super().discriminator_loss(batch) | {"broken": weight[0, 0] * float("nan")}

    game = watched(nan_to_num=True)
    game.__class__ = Broken
    played(game, 3)
    assert game.nonfinite.tolist() == [0, 3]
    assert all(p.isfinite().all() for p in game.parameters())
    assert int(game.readings["nan_to_num/discriminator"]) == 3
    bare = watched()
    bare.__class__ = Broken
    assert not all(p.isfinite().all() for p in played(bare, 3).parameters())
