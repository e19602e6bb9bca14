"""Images, and what else is measured, come from the averaged weights, in evaluation mode."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.settings.trust import build
from tests.configs import options, thinned
from tests.golden import cases, formula, values

EVERY = pytest.mark.parametrize("model", thinned(options("model"), keep=4))


def made(game: TwoPlayerGame[Any], batch: Any) -> list[Tensor]:
    """Return what a trained game makes."""
    parts = [game.validation_step(batch, 0)["fake"]]
    if isinstance(game, LatentGame):
        parts.append(game.sample(2, seed=3))
    if isinstance(game, EncodingGame):
        parts += [game.encode(parts[0]), game.reconstruct(parts[0])]
    return parts


@torch.no_grad()
def shrink(network: nn.Module) -> None:
    """Change all weights."""
    for weight in network.parameters():
        weight.mul_(0.5)


def players(model: str) -> tuple[TwoPlayerGame[Any], Any]:
    """Return a game with averages, and a batch of held-out images in 32 bits."""
    config = cases.config(f"model/{model}", "averaging=ema", "conditioning=none")
    game: TwoPlayerGame[Any] = build(config.model)
    formula.fill(game)
    return game, in_32_bits(values.Batches(game, config.data).held_out())


def in_32_bits(given: Any) -> Any:
    """Return what a data module gives, with images in its precision."""
    if isinstance(given, Tensor):
        return given.float() if given.is_floating_point() else given
    return tuple(map(in_32_bits, given)) if isinstance(given, tuple) else given


@EVERY
def test_images_are_of_the_averaged_weights(model: str) -> None:
    game, batch = players(model)
    first = made(game, batch)
    for player in game.players:
        shrink(player.network)
    assert all(torch.equal(a, b) for a, b in zip(first, made(game, batch), strict=True))
    for average, _ in game._averages:
        shrink(average)
    assert not any(torch.equal(a, b) for a, b in zip(first, made(game, batch), strict=True))


@EVERY
def test_averages_follow_the_networks_in_training(model: str) -> None:
    game, _ = players(model)
    pairs = [(average, network) for average, network in game._averages]
    assert len(pairs) == 1 + isinstance(game, EncodingGame)
    game.averaging.half_life = game.averaging.ramp = 1e-9  # type: ignore[attr-defined]
    game.update_averages(8)
    for average, network in pairs:
        assert average is not network
        for a, b in zip(average.parameters(), network.parameters(), strict=True):
            assert torch.allclose(a, b)
            assert not a.requires_grad


@EVERY
def test_making_images_changes_nothing(model: str) -> None:
    game, batch = players(model)
    state = {key: value.clone() for key, value in game.state_dict().items()}
    modes = [module.training for module in game.modules()]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second = made(game, batch), made(game, batch)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(before, torch.get_rng_state())
    assert [module.training for module in game.modules()] == modes
    assert all(torch.equal(state[key], value) for key, value in game.state_dict().items())


@pytest.mark.parametrize("model", ["pix2pix", "srgan"])
def test_restorations_keep_what_the_source_knows(model: str) -> None:
    config = cases.config(f"model/{model}", "task=inpaint", "averaging=ema")
    game: Any = build(config.model)
    formula.fill(game)
    whole = values.images(3, cases.SIDE, 1).float()
    source = game.task(whole, [(k,) for k in range(len(whole))])
    hole = (source == 0).all(1, keepdim=True).expand_as(source)
    assert 0 < hole.float().mean() < 1
    made = [game.validation_step(((source, None), (whole, None)), 0)["fake"]]
    made += [game.translate(source), game.restore(source), game(source)]
    made.append(game.restored(game.generator, source))  # in training
    for images in made:
        assert torch.equal(images[~hole], source[~hole])
        assert not torch.equal(images[hole], source[hole])
